// What is inside the parts: the price in its constant size (SB1 S5.1), and the manifest of the files (S5.2).
import { pieces } from "./archive.js";
import { byBytes, canonical, hex, must, tupleHash, utf8 } from "./encoding.js";
import { createSHA256 } from "./libraries.js";

export const MANIFEST = "manifest.json";
const MOST_PATH = 200, SALT = 32, SPACE = 0x20;

const subject = ({ bid, bidder, lot, stage, tender }) => ({ bid, bidder, lot, stage, tender });

// `price`: {currency, items, total} and perhaps terms, as the price form makes it.
export function padPrice(context, price, size) {
  const document = canonical({ ...price, ...subject(context), typ: "sb1.price", v: 1 });
  must(document.length <= size, "price_large", { limit: size });
  const padded = new Uint8Array(size).fill(SPACE);
  padded.set(document);
  return padded;
}

// Two paths that differ only in case would be one file on some machines. Twice, for letters with several such forms.
const folded = (path) => path.toLowerCase().toUpperCase().toLowerCase().toUpperCase().toLowerCase().replaceAll("ς", "σ");

// The names of the files as they will stand in the archive; what a file system spells otherwise becomes NFC.
export function placed(files) {
  const members = files.map(({ path, file }) => ({ path: path.normalize("NFC"), file }));
  for (const { path } of members) {
    const steps = path.split("/"), isBelow = !steps.some((step) => ["", ".", ".."].includes(step));
    must(isBelow && path.isWellFormed() && !path.includes("\0"), "path", { path });
    must(utf8(path).length <= MOST_PATH, "path_long", { path, limit: MOST_PATH });
  }
  const seen = new Set([MANIFEST]);
  for (const { path } of members) {
    must(!seen.has(folded(path)), "path_twice", { path });
    seen.add(folded(path));
  }
  return members.sort((left, right) => byBytes(left.path, right.path));
}

// The manifest of members that are `placed`, and what the files were when they were read for it.
export async function describe(context, members, tell = () => {}) {
  const rows = [], taken = [];
  const state = await createSHA256();
  for (const { path, file } of members) {
    state.init();
    for await (const piece of pieces(file)) {
      state.update(piece);
      tell(piece.length);
    }
    const content = state.digest("binary"), salt = crypto.getRandomValues(new Uint8Array(SALT));
    rows.push({ digest: hex(await fileDigest(salt, path, content)), path, salt: hex(salt), size: file.size });
    taken.push({ path, sha256: hex(content), size: file.size });
  }
  return { manifest: canonical({ ...subject(context), files: rows, typ: "sb1.manifest", v: 1 }), taken };
}

export const fileDigest = (salt, path, content) => tupleHash("mingbiao/sb1/file", salt, utf8(path), content);
