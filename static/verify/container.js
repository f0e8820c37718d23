// The files of a bundle by path: the names of the format and no others, and the limits of verifier/bundle.py (AL1 L12.1, P12).
import { Fault, hexDigest, need } from "./bytes.js";
import { Archive } from "./zip.js";

export const MAX_FILES = 200_000;
const MAX_UNPACKED = 64 * 2 ** 30, MAX_RATIO = 200;
const KEPT_FILE = 4 * 2 ** 20, KEPT_TOTAL = 32 * 2 ** 20;
// WebCrypto hashes what stands in memory as a whole; a larger file is left to the command.
export const MOST_HASHED = 512 * 2 ** 20;
const NUMBER = "(?:0|[1-9][0-9]{0,15})";
const TILE = "(?:x[0-9]{3}/)*[0-9]{3}(?:\\.p/[1-9][0-9]{0,2})?";
const PATH = new RegExp(
  "^(?:bundle\\.json|verify\\.py|trust\\.(?:json|sig)|order\\.json|request\\.json" +
    "|docs/[0-9a-f]{64}\\.(?:json|sig)|parts/[0-9a-f]{64}\\.age" +
    `|(?:before/){0,15}(?:checkpoint|log/${NUMBER}\\.tlog-proof|records/${NUMBER}\\.json` +
    `|checkpoints/${NUMBER}-(?:first|last)|consistency/${NUMBER}-${NUMBER}|tst/[0-9]{1,16}/[A-Za-z0-9._-]{1,80}\\.tsr` +
    `|tile/(?:[0-9]{1,2}|entries)/${TILE}))$`,
);

// The files of the closed log that a log continues, as in its own bundle; for more logs, repeated.
export const BEFORE = "before/";

export class Container {
  constructor(archive) {
    this.archive = archive;
    this.members = new Map();
    this.kept = new Map();
    this.keptTotal = 0;
  }
  static async open(file) {
    const archive = await Archive.open(file, 2 * MAX_FILES); // folders are members, too
    const container = new Container(archive);
    const unpacked = archive.members.reduce((total, { size }) => total + size, 0);
    need(unpacked <= Math.min(MAX_UNPACKED, MAX_RATIO * archive.size), "ratio");
    for (const member of archive.members) if (!member.name.endsWith("/")) container.admit(member);
    need(container.members.size <= MAX_FILES, "many", { limit: MAX_FILES });
    return container;
  }
  admit(member) {
    need(PATH.test(member.name), "name", { name: member.name.slice(0, 200) });
    need(!this.members.has(member.name), "name_twice", { name: member.name });
    this.members.set(member.name, member);
  }
  has(path) {
    return this.members.has(path);
  }
  size(path) {
    return this.members.get(path)?.size ?? null;
  }
  under(folder) {
    return [...this.members.keys()].filter((path) => path.startsWith(folder)).sort();
  }
  async read(path, limit = KEPT_FILE) {
    const kept = this.kept.get(path), member = this.members.get(path);
    if (kept !== undefined) return kept;
    need(member !== undefined, "absent", { path });
    need(member.size <= limit, "long", { size: member.size, limit });
    const data = await this.unpacked(member);
    if (data.length <= KEPT_FILE && this.keptTotal + data.length <= KEPT_TOTAL) {
      this.kept.set(path, data);
      this.keptTotal += data.length;
    }
    return data;
  }
  async unpacked(member) {
    try {
      return await this.archive.read(member);
    } catch (error) {
      throw error instanceof Fault ? error : new Fault("zip"); // the file was changed or taken away meanwhile
    }
  }
  async sha256(path) {
    return hexDigest(await this.read(path, MOST_HASHED));
  }
}
