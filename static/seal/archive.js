// The part "main" as it is written: a POSIX tar of regular files, zero bytes up to a multiple of 64 KiB (SB1 S5.2).
import { joined, must, utf8 } from "./encoding.js";

const BLOCK = 512, PADDED = 65536, NAME = 100, READ = 2 ** 20, OCTAL_LIMIT = 8 ** 11;

// The bytes of a file in pieces of 1 MiB; the next one is read while the one before is worked on.
export async function* pieces(file) {
  const piece = (at) => file.slice(at, at + READ).arrayBuffer();
  let next = piece(0);
  for (let at = 0; at < file.size; at += READ) {
    const data = new Uint8Array(await next);
    must(data.length === Math.min(READ, file.size - at), "file_changed");
    next = at + READ < file.size ? piece(at + READ) : null;
    yield data;
  }
}

// `members`: {path, file} in the order in which they are to stand.
export async function* archive(members) {
  let written = 0;
  for (const { path, file } of members) {
    const head = headers(path, file.size);
    yield head;
    yield* pieces(file);
    const padding = new Uint8Array((BLOCK - (file.size % BLOCK)) % BLOCK);
    yield padding;
    written += head.length + file.size + padding.length;
  }
  written += 2 * BLOCK;
  yield new Uint8Array(2 * BLOCK + ((PADDED - (written % PADDED)) % PADDED));
}

// A path that is not short ASCII, and a size that does not fit, stand in a pax header before the file's own.
function headers(path, size) {
  const name = utf8(path), large = size >= OCTAL_LIMIT, isPlain = name.length === path.length && name.length <= NAME;
  const records = joined(isPlain ? new Uint8Array(0) : record("path", path), large ? record("size", String(size)) : new Uint8Array(0));
  if (records.length === 0) return header(name, size, "0");
  // Readers that know no pax see this short name.
  const short = utf8(Array.from(path, (letter) => (letter < "\x80" ? letter : "_")).join("")).subarray(0, NAME);
  const head = header(joined(utf8("PaxHeaders/"), short.subarray(0, NAME - 11)), records.length, "x");
  const padding = new Uint8Array((BLOCK - (records.length % BLOCK)) % BLOCK);
  return joined(head, records, padding, header(short, large ? 0 : size, "0"));
}

function record(key, value) {
  const body = utf8(` ${key}=${value}\n`);
  let length = body.length;
  while (length !== body.length + String(length).length) length = body.length + String(length).length;
  return joined(utf8(String(length)), body);
}

const octal = (number, digits) => number.toString(8).padStart(digits, "0");
// Owner, mode and time say nothing about the bidder's machine: always the same.
function header(name, size, kind) {
  const data = new Uint8Array(BLOCK), put = (at, text) => data.set(utf8(text), at);
  data.set(name);
  put(100, "0000644\0".concat("0000000\0".repeat(2), octal(size, 11), "\0", "0".repeat(11), "\0", " ".repeat(8), kind));
  put(257, "ustar\x0000");
  put(148, `${octal(data.reduce((sum, byte) => sum + byte, 0), 6)}\0 `);
  return data;
}
