// The whole log from its tiles: chain, entry bundles, every hash tile, root (AL1 L1.2, L1.4, L12.2 AL-09).
// One pass hashes every entry and every inner node once; afterwards the root of any smaller size is a few hashes.
import { concat, decode, Fault, hex, need, same } from "./bytes.js";
import { folded, HASH_BYTES, leafHash, rootOfHashes, split } from "./merkle.js";
import { genesis } from "./proofs.js";

export const TILE_WIDTH = 256;
const TILE_BYTES = TILE_WIDTH * HASH_BYTES;
const ENTRIES_LIMIT = TILE_WIDTH * (65535 + 2);
const ENTRY =
  /^\{"h":"([0-9a-f]{64})","n":(0|[1-9][0-9]*),"p":"([0-9a-f]{64})",(?:"q":"([0-9a-f]{64})",)?"t":(0|[1-9][0-9]{0,15}),"v":1\}$/;

export function tilePath(level, number, width = TILE_WIDTH) {
  const groups = [String(number % 1000).padStart(3, "0")];
  for (let rest = Math.floor(number / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(`x${String(rest % 1000).padStart(3, "0")}`);
  }
  return `tile/${level}/${groups.join("/")}${width < TILE_WIDTH ? `.p/${width}` : ""}`;
}
const widthOf = (number, count) => Math.min(TILE_WIDTH, count - number * TILE_WIDTH);
const tilesOf = (count) => Math.ceil(count / TILE_WIDTH);

// The hashes of a fully checked log: levels[l] holds those of complete subtrees of 256^l leaves, tile by tile.
class LogTree {
  constructor(size) {
    this.size = size;
    this.levels = [[]];
  }
  // Up to 256 leaf hashes; a full tile moves one hash up, and so on.
  async addTile(hashes) {
    this.levels[0].push(hashes);
    for (let level = 0, tile = hashes; tile.length === TILE_BYTES; level++) {
      const root = await rootOfHashes(split(tile));
      this.levels[level + 1] ??= [];
      const upper = this.levels[level + 1], last = upper.at(-1);
      if (last === undefined || last.length === TILE_BYTES) upper.push(root);
      else upper[upper.length - 1] = concat(last, root);
      tile = upper.at(-1);
    }
  }
  hashes(level, first, count) {
    const found = [];
    for (let at = first; at < first + count; at++) {
      const start = (at % TILE_WIDTH) * HASH_BYTES;
      found.push(this.levels[level][Math.floor(at / TILE_WIDTH)].subarray(start, start + HASH_BYTES));
    }
    return found;
  }
  // The root of the first entries, from the complete subtrees below it.
  async root(size) {
    const peaks = [];
    let start = 0;
    for (let level = this.levels.length - 1; level >= 0; level--) {
      const step = TILE_WIDTH ** level;
      let [first, count] = [Math.floor(start / step), Math.floor((size - start) / step)];
      start += count * step;
      while (count > 0) {
        const width = 2 ** Math.floor(Math.log2(count));
        peaks.push(await rootOfHashes(this.hashes(level, first, width)));
        [first, count] = [first + width, count - width];
      }
    }
    return folded(peaks);
  }
}

// The running state of the chain: the last leaf hash, the last time, and whether the log has q.
class EntryChain {
  constructor(first) {
    Object.assign(this, { before: first, time: 0, withQ: null });
  }
  take(n, entry, leaf) {
    const match = ENTRY.exec(entry), place = { place: `entry ${n}` };
    need(match !== null, "entry_form", place);
    const [, h, number, p, q, time] = match, t = Number(time);
    need(number === String(n), "entry_number", { ...place, number });
    need(p === this.before, "entry_previous", place);
    need(t >= this.time, "time_decreases", place);
    this.withQ ??= q !== undefined;
    need(this.withQ === (q !== undefined), "q_everywhere", place);
    Object.assign(this, { before: leaf, time: t });
    return { n, h, t };
  }
}

function splitEntries(data, path) {
  const entries = [], words = new DataView(data.buffer, data.byteOffset, data.length);
  for (let at = 0; at < data.length; ) {
    const end = at + 2 <= data.length ? at + 2 + words.getUint16(at) : Infinity;
    need(end <= data.length, "cut_off", { place: path });
    entries.push(data.subarray(at + 2, end));
    at = end;
  }
  return entries;
}

// All entries in order; `sink` gets those of a tile at once, up to the first that breaks a rule.
export async function readLog(bundle, origin, size, sink) {
  const tree = new LogTree(size), chain = new EntryChain(hex(await genesis(origin)));
  for (let number = 0; number < tilesOf(size); number++) {
    const width = widthOf(number, size), path = tilePath("entries", number, width);
    const entries = splitEntries(await bundle.read(path, ENTRIES_LIMIT), path);
    need(entries.length === width, "tile_width", { place: path, found: entries.length, wanted: width });
    const leaves = await Promise.all(entries.map(leafHash));
    const taken = [];
    let fault = null;
    for (let at = 0; at < width && fault === null; at++) {
      try {
        taken.push(chain.take(number * TILE_WIDTH + at, textOf(entries[at]), hex(leaves[at])));
      } catch (error) { fault = error; }
    }
    await sink(taken);
    if (fault !== null) throw fault;
    await tree.addTile(concat(...leaves));
  }
  return { tree, withQ: chain.withQ === true };
}

function textOf(entry) {
  try { return decode(entry); } catch { return ""; }
}

function* layout(size) {
  for (let level = 0, count = size; count > 0; level++, count = Math.floor(count / TILE_WIDTH)) {
    for (let number = 0; number < tilesOf(count); number++) yield [level, number, widthOf(number, count)];
  }
}

// The entries under the first hash of a tile that differs.
function firstOther(level, number, found, hashed) {
  let at = 0;
  while (same(found.subarray(at, at + HASH_BYTES), hashed.subarray(at, at + HASH_BYTES))) at += HASH_BYTES;
  const span = TILE_WIDTH ** level, first = (number * TILE_WIDTH + at / HASH_BYTES) * span;
  return { first, last: first + span - 1 };
}

// Calls `fail(path, code, values)` for each hash tile that is missing, wrong, or not part of a tree of this size.
export async function checkTiles(bundle, tree, fail) {
  const expected = new Set();
  for (const [level, number, width] of layout(tree.size)) {
    const path = tilePath(level, number, width), hashed = tree.levels[level][number];
    expected.add(path);
    try {
      const found = await bundle.read(path, TILE_BYTES);
      if (!same(found, hashed)) fail(path, "tile_other", firstOther(level, number, found, hashed));
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      fail(path, error.code, error.values);
    }
  }
  for (let number = 0; number < tilesOf(tree.size); number++) {
    expected.add(tilePath("entries", number, widthOf(number, tree.size)));
  }
  for (const path of bundle.under("tile/")) {
    if (!expected.has(path)) fail(path, "tile_foreign", { size: tree.size });
  }
}
