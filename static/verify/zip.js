// The central directory of a ZIP and its members, read as hostile input: stored or deflated, no encryption, no links.
// Nothing is unpacked beyond the size that the directory announces.
import { concat, decode, encode, Fault, need, same } from "./bytes.js";

const BLOCK = 2 ** 20, KEPT_BLOCKS = 64;
const END = 0x06054b50, END64 = 0x06064b50, LOCATOR64 = 0x07064b50, CENTRAL = 0x02014b50, LOCAL = 0x04034b50;
const END_SIZE = 22, LOCAL_SIZE = 30, CENTRAL_SIZE = 46, LOCATOR_SIZE = 20, END64_SIZE = 56;
const MOST_DIRECTORY = 64 * 2 ** 20;
const STORED = 0, DEFLATED = 8;
const REGULAR = 0o100000, FOLDER = 0o040000, TYPE = 0o170000;

// A file of the reader's machine in blocks, so that an archive of many gigabytes never stands in memory.
class Source {
  constructor(file) {
    this.file = file;
    this.size = file.size;
    this.blocks = new Map();
  }
  block(number) {
    const found = this.blocks.get(number) ?? this.load(number);
    this.blocks.delete(number);
    this.blocks.set(number, found); // the newest last: the first is the one that was not used for longest
    if (this.blocks.size > KEPT_BLOCKS) this.blocks.delete(this.blocks.keys().next().value);
    return found;
  }
  async load(number) {
    return new Uint8Array(await this.file.slice(number * BLOCK, (number + 1) * BLOCK).arrayBuffer());
  }
  async bytes(at, length) {
    need(at >= 0 && length >= 0 && at + length <= this.size, "zip");
    const first = Math.floor(at / BLOCK), last = Math.floor((at + Math.max(length, 1) - 1) / BLOCK);
    const parts = [];
    for (let number = first; number <= last; number++) parts.push(await this.block(number));
    const whole = parts.length === 1 ? parts[0] : concat(...parts);
    const start = at - first * BLOCK;
    need(whole.length >= start + length, "zip"); // the file became shorter
    return whole.subarray(start, start + length);
  }
}

const view = (data) => new DataView(data.buffer, data.byteOffset, data.byteLength);
function long(data, at) {
  const value = view(data).getBigUint64(at, true);
  need(value <= BigInt(Number.MAX_SAFE_INTEGER), "zip");
  return Number(value);
}

async function directory(source) {
  need(source.size >= END_SIZE, "zip");
  const length = Math.min(source.size, END_SIZE + 65535), tail = await source.bytes(source.size - length, length);
  const words = view(tail);
  const isEnd = (place) =>
    words.getUint32(place, true) === END && place + END_SIZE + words.getUint16(place + 20, true) === length;
  let at = length - END_SIZE;
  while (at >= 0 && !isEnd(at)) at--;
  need(at >= 0, "zip");
  const end = source.size - length + at, [size, place] = [12, 16].map((field) => words.getUint32(at + field, true));
  const locator = end >= LOCATOR_SIZE ? await source.bytes(end - LOCATOR_SIZE, LOCATOR_SIZE) : null;
  if (locator !== null && view(locator).getUint32(0, true) === LOCATOR64) {
    const wide = long(locator, 8), record = await source.bytes(wide, END64_SIZE);
    need(view(record).getUint32(0, true) === END64, "zip");
    return { count: long(record, 32), size: long(record, 40), at: long(record, 48), end: wide };
  }
  return { count: words.getUint16(at + 10, true), size, at: place, end };
}

// Sizes and place that do not fit into 32 bits stand in extra field 1, in this order, those alone that need it.
function widened(member, extra) {
  for (let at = 0; at + 4 <= extra.length; at += 4 + view(extra).getUint16(at + 2, true)) {
    if (view(extra).getUint16(at, true) !== 1) continue;
    let next = at + 4;
    for (const name of ["size", "packed", "at"]) {
      if (member[name] !== 0xffffffff) continue;
      need(next + 8 <= extra.length, "zip");
      member[name] = long(extra, next);
      next += 8;
    }
  }
  return member;
}

function memberAt(data, at) {
  need(at + CENTRAL_SIZE <= data.length && view(data).getUint32(at, true) === CENTRAL, "zip");
  const words = new DataView(data.buffer, data.byteOffset + at, CENTRAL_SIZE);
  const [name, extra, comment] = [28, 30, 32].map((place) => words.getUint16(place, true));
  const start = at + CENTRAL_SIZE, next = start + name + extra + comment;
  need(next <= data.length, "zip");
  const member = {
    flags: words.getUint16(8, true), method: words.getUint16(10, true), crc: words.getUint32(16, true),
    packed: words.getUint32(20, true), size: words.getUint32(24, true), mode: words.getUint32(38, true) >>> 16,
    at: words.getUint32(42, true), name: decode(data.subarray(start, start + name), "zip"),
  };
  return [widened(member, data.subarray(start + name, start + name + extra)), next];
}

function checkMember({ flags, method, mode, name }) {
  need(mode === 0 || [0, REGULAR, FOLDER].includes(mode & TYPE), "zip_link", { name });
  need((flags & 1) === 0 && [STORED, DEFLATED].includes(method), "zip_method", { name });
}

export class Archive {
  // The members in the order of the directory; folders are left out.
  static async open(file, mostFiles) {
    const archive = new Archive(), source = new Source(file);
    const { count, size, at, end } = await directory(source);
    need(count <= mostFiles, "many", { limit: mostFiles });
    need(size <= MOST_DIRECTORY && at + size === end, "zip");
    const data = await source.bytes(at, size);
    Object.assign(archive, { source, members: [], size: source.size });
    let next = 0;
    for (let number = 0; number < count; number++) {
      let member = null;
      [member, next] = memberAt(data, next);
      checkMember(member);
      archive.members.push(member);
    }
    need(next === size, "zip");
    return archive;
  }
  async read(member) {
    const head = await this.source.bytes(member.at, LOCAL_SIZE), words = view(head);
    need(words.getUint32(0, true) === LOCAL, "zip");
    const [name, extra] = [words.getUint16(26, true), words.getUint16(28, true)];
    const local = await this.source.bytes(member.at + LOCAL_SIZE, name);
    need(same(local, encode(member.name)), "zip_name", { name: member.name });
    const packed = await this.source.bytes(member.at + LOCAL_SIZE + name + extra, member.packed);
    const data = member.method === STORED ? packed.slice() : await inflated(packed, member.size);
    need(data.length === member.size, "announced");
    need(crc32(data) === member.crc, "zip_crc");
    return data;
  }
}

async function inflated(packed, size) {
  const stream = new DecompressionStream("deflate-raw"), writer = stream.writable.getWriter();
  writer.write(packed).catch(() => {}); // what is wrong with it shows where it is read
  writer.close().catch(() => {});
  const reader = stream.readable.getReader(), parts = [];
  let length = 0;
  try {
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      length += value.length;
      need(length <= size, "announced");
      parts.push(value);
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error instanceof Fault ? error : new Fault("zip");
  }
  return parts.length === 1 ? parts[0] : concat(...parts);
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});
export function crc32(data) {
  let value = 0xffffffff;
  for (const byte of data) value = TABLE[(value ^ byte) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
