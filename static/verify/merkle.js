// Merkle trees of RFC 6962 with SHA-256 and the proofs of RFC 9162 (P4.3, AL1 L8.3). Every hash has 32 bytes.
import { need, same, sha256 } from "./bytes.js";

export const HASH_BYTES = 32;
const MAX_PROOF = 63;
const ZERO = Uint8Array.of(0), ONE = Uint8Array.of(1);

export const leafHash = (data) => sha256(ZERO, data);
export const nodeHash = (left, right) => sha256(ONE, left, right);
export const emptyRoot = () => sha256(new Uint8Array(0));

// Neighbours are paired level by level and an odd last one is carried up: the tree that splits at the largest power of two.
export async function rootOfHashes(hashes) {
  if (hashes.length === 0) return emptyRoot();
  let level = hashes;
  while (level.length > 1) {
    const pairs = [];
    for (let at = 0; at + 1 < level.length; at += 2) pairs.push(nodeHash(level[at], level[at + 1]));
    const paired = await Promise.all(pairs);
    if (level.length % 2) paired.push(level[level.length - 1]);
    level = paired;
  }
  return level[0];
}
export const rootOf = async (leaves) => rootOfHashes(await Promise.all(leaves.map(leafHash)));

// The hashes that stand one after the other, as in a tile.
export function split(data) {
  const hashes = [];
  for (let at = 0; at < data.length; at += HASH_BYTES) hashes.push(data.subarray(at, at + HASH_BYTES));
  return hashes;
}

const checkLengths = (path, ...others) =>
  need(path.length <= MAX_PROOF && [...path, ...others].every((hash) => hash.length === HASH_BYTES), "proof_form");

export async function verifyInclusion(index, size, leaf, path, root) {
  checkLengths(path, leaf, root);
  need(index >= 0 && index < size, "outside", { index, size });
  let [fn, sn, found] = [BigInt(index), BigInt(size) - 1n, leaf];
  for (const sibling of path) {
    need(sn !== 0n, "inclusion");
    if (fn & 1n || fn === sn) {
      found = await nodeHash(sibling, found);
      while (!(fn & 1n) && fn) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else found = await nodeHash(found, sibling);
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  need(sn === 0n && same(found, root), "inclusion");
}

export async function verifyConsistency(old, size, oldRoot, newRoot, path) {
  checkLengths(path, oldRoot, newRoot);
  need(old >= 0 && old <= size, "consistency");
  if (old === 0 || old === size) {
    const expected = old === size ? oldRoot : await emptyRoot();
    return need(path.length === 0 && same(old === size ? newRoot : oldRoot, expected), "consistency");
  }
  let [fn, sn] = [BigInt(old) - 1n, BigInt(size) - 1n];
  const hashes = (BigInt(old) & fn) === 0n ? [oldRoot, ...path] : [...path];
  need(hashes.length > 0, "consistency");
  while (fn & 1n) [fn, sn] = [fn >> 1n, sn >> 1n];
  let [first, second] = [hashes[0], hashes[0]];
  for (const sibling of hashes.slice(1)) {
    need(sn !== 0n, "consistency");
    if (fn & 1n || fn === sn) {
      [first, second] = await Promise.all([nodeHash(sibling, first), nodeHash(sibling, second)]);
      while (!(fn & 1n) && fn) [fn, sn] = [fn >> 1n, sn >> 1n];
    } else second = await nodeHash(second, sibling);
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  return need(sn === 0n && same(first, oldRoot) && same(second, newRoot), "consistency");
}

// What a list of perfect subtrees, in descending size, makes together.
export async function folded(peaks) {
  let right = null;
  for (const peak of [...peaks].reverse()) right = right === null ? peak : await nodeHash(peak, right);
  return right ?? emptyRoot();
}
