// The archive of the part "main", read from a stream as a reader of the opening will (SB1 S5.2): regular files and pax
// headers, nothing else, and only zero bytes behind them.
import { decode, need } from "../verify/bytes.js";

const BLOCK = 512, PADDED = 65536, MOST_PAX = 65536;

// Whole blocks from chunks of any length.
class Blocks {
  constructor(chunks) {
    Object.assign(this, { chunks: chunks[Symbol.asyncIterator](), rest: new Uint8Array(0), count: 0 });
  }
  // Up to `most` bytes as they come; none at the end.
  async some(most) {
    while (this.rest.length === 0) {
      const { done, value } = await this.chunks.next();
      if (done) return this.rest;
      this.rest = value;
    }
    const data = this.rest.subarray(0, most);
    this.rest = this.rest.subarray(data.length);
    this.count += data.length;
    return data;
  }
  async take(length) {
    const whole = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const data = await this.some(length - at);
      need(data.length > 0, "archive");
      whole.set(data, at);
      at += data.length;
    }
    return whole;
  }
  async *content(size) {
    for (let left = size; left > 0; ) {
      const data = await this.some(left);
      need(data.length > 0, "archive");
      left -= data.length;
      yield data;
    }
    need(isZero(await this.take((BLOCK - (size % BLOCK)) % BLOCK)), "archive");
  }
}

const isZero = (data) => data.every((byte) => byte === 0);
const textOf = (data) => decode(data.subarray(0, data.includes(0) ? data.indexOf(0) : data.length), "archive");

function octal(field) {
  const found = /^([0-7]+)[\0 ]*$/.exec(String.fromCharCode(...field));
  need(found !== null, "archive");
  return Number.parseInt(found[1], 8);
}

function kindOf(block) {
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  need(sum === octal(block.subarray(148, 156)), "archive");
  need(String.fromCharCode(...block.subarray(257, 265)) === "ustar\x0000", "archive");
  return String.fromCharCode(block[156]);
}

function paxRecords(data) {
  const found = {};
  for (let at = 0; at < data.length; ) {
    const blank = data.indexOf(0x20, at), length = Number(decode(data.subarray(at, blank), "archive"));
    need(blank > at && Number.isSafeInteger(length) && length > blank - at && at + length <= data.length, "archive");
    const text = decode(data.subarray(blank + 1, at + length), "archive"), sign = text.indexOf("=");
    need(sign > 0 && text.endsWith("\n"), "archive");
    found[text.slice(0, sign)] = text.slice(sign + 1, -1);
    at += length;
  }
  return found;
}

// {path, size, content}: each content is read to its end before the next file is asked for.
export async function* filesOf(chunks) {
  const blocks = new Blocks(chunks);
  let own = {};
  for (let block = await blocks.take(BLOCK); !isZero(block); block = await blocks.take(BLOCK)) {
    const kind = kindOf(block), stated = octal(block.subarray(124, 136));
    if (kind === "x") {
      need(stated <= MOST_PAX, "archive");
      const data = await blocks.take(stated + ((BLOCK - (stated % BLOCK)) % BLOCK));
      own = paxRecords(data.subarray(0, stated));
      continue;
    }
    need(kind === "0", "archive");
    const size = own.size === undefined ? stated : Number(own.size);
    need(Number.isSafeInteger(size), "archive");
    yield { path: own.path ?? textOf(block.subarray(0, 100)), size, content: blocks.content(size) };
    own = {};
  }
  need(isZero(await blocks.take(BLOCK)), "archive");
  for (let rest = await blocks.some(PADDED); rest.length > 0; rest = await blocks.some(PADDED)) need(isZero(rest), "archive");
  need(blocks.count % PADDED === 0, "archive");
}
