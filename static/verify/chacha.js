// ChaCha20-Poly1305 of RFC 8439, opening only: WebCrypto has none, and age wants it. It runs on keys that a transcript has
// made public, so that its time may tell what it likes.
import { concat, need, same, u64 } from "./bytes.js";

const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];
const ROUNDS = [
  [0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15], [0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14],
];
const rotated = (value, by) => (value << by) | (value >>> (32 - by));

function block(words, counter, nonce) {
  const start = Int32Array.of(...CONSTANTS, ...words, counter, ...nonce), state = start.slice();
  for (let round = 0; round < 10; round++) {
    for (const [a, b, c, d] of ROUNDS) {
      state[a] += state[b]; state[d] = rotated(state[d] ^ state[a], 16);
      state[c] += state[d]; state[b] = rotated(state[b] ^ state[c], 12);
      state[a] += state[b]; state[d] = rotated(state[d] ^ state[a], 8);
      state[c] += state[d]; state[b] = rotated(state[b] ^ state[c], 7);
    }
  }
  const bytes = new DataView(new ArrayBuffer(64));
  state.forEach((value, at) => bytes.setInt32(4 * at, value + start[at], true));
  return new Uint8Array(bytes.buffer);
}

function wordsOf(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return Array.from({ length: data.length / 4 }, (_, at) => view.getInt32(4 * at, true));
}

// A little-endian number of at most 17 bytes.
function number(data) {
  let value = 0n;
  for (let at = data.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(data[at]);
  return value;
}

const PRIME = 2n ** 130n - 5n, CLAMP = 0x0ffffffc0ffffffc0ffffffc0fffffffn;
function poly1305(key, message) {
  const r = number(key.subarray(0, 16)) & CLAMP, s = number(key.subarray(16, 32));
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    sum = ((sum + number(concat(message.subarray(at, at + 16), Uint8Array.of(1)))) * r) % PRIME;
  }
  const tag = (sum + s) & (2n ** 128n - 1n);
  return Uint8Array.from({ length: 16 }, (_, at) => Number((tag >> BigInt(8 * at)) & 255n));
}

const little = (length) => u64(length).reverse();
const padded = (data) => concat(data, new Uint8Array((16 - (data.length % 16)) % 16));

// The plaintext of ciphertext ‖ tag without associated data.
export function chachaOpen(key, nonce, sealed) {
  need(sealed.length >= 16, "age");
  const [words, own] = [wordsOf(key), wordsOf(nonce)], end = sealed.length - 16, text = sealed.subarray(0, end);
  const once = block(words, 0, own).subarray(0, 32);
  const tag = poly1305(once, concat(padded(text), little(0), little(end)));
  need(same(tag, sealed.subarray(end)), "age");
  const plain = new Uint8Array(end);
  for (let at = 0, counter = 1; at < end; at += 64, counter++) {
    const stream = block(words, counter, own);
    for (let byte = at; byte < Math.min(at + 64, end); byte++) plain[byte] = text[byte] ^ stream[byte - at];
  }
  return plain;
}
