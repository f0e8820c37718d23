// ChaCha20-Poly1305 of RFC 8439, opening only: WebCrypto has none everywhere, and age wants it. It runs on keys that a
// transcript has made public, or on the bidder's own machine, so that its time may tell what it likes. Words are read and
// written as the machine has them: little-endian wherever there is a browser.
import { need, same } from "./bytes.js";

const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];

function quarter(state, a, b, c, d) {
  let mixed = 0;
  state[a] += state[b]; mixed = state[d] ^ state[a]; state[d] = (mixed << 16) | (mixed >>> 16);
  state[c] += state[d]; mixed = state[b] ^ state[c]; state[b] = (mixed << 12) | (mixed >>> 20);
  state[a] += state[b]; mixed = state[d] ^ state[a]; state[d] = (mixed << 8) | (mixed >>> 24);
  state[c] += state[d]; mixed = state[b] ^ state[c]; state[b] = (mixed << 7) | (mixed >>> 25);
}

// The 16 words of key stream of the counter that stands in `start`, into `stream`.
function block(start, stream) {
  stream.set(start);
  for (let round = 0; round < 10; round++) {
    quarter(stream, 0, 4, 8, 12); quarter(stream, 1, 5, 9, 13); quarter(stream, 2, 6, 10, 14); quarter(stream, 3, 7, 11, 15);
    quarter(stream, 0, 5, 10, 15); quarter(stream, 1, 6, 11, 12); quarter(stream, 2, 7, 8, 13); quarter(stream, 3, 4, 9, 14);
  }
  for (let at = 0; at < 16; at++) stream[at] += start[at];
}

// A little-endian number of at most 17 bytes.
function number(data) {
  let value = 0n;
  for (let at = data.length - 1; at >= 0; at--) value = (value << 8n) | BigInt(data[at]);
  return value;
}

// Numbers below 2^132 as six limbs of 22 bits: a product of two limbs, times the 20 of the wrap, times the six of a sum,
// stays below 2^53 and so exact. 2^132 is 20 modulo 2^130 − 5.
const LIMB = 2 ** 22, MASK = LIMB - 1, WRAP = 20;
const PRIME = 2n ** 130n - 5n, CLAMP = 0x0ffffffc0ffffffc0ffffffc0fffffffn;
const limbsOf = (value) => Array.from({ length: 6 }, (_, at) => Number((value >> BigInt(22 * at)) & BigInt(MASK)));

// `words`: the message in whole blocks of four words.
function poly1305(key, words) {
  const [r0, r1, r2, r3, r4, r5] = limbsOf(number(key.subarray(0, 16)) & CLAMP);
  const [w1, w2, w3, w4, w5] = [r1, r2, r3, r4, r5].map((limb) => WRAP * limb);
  let h0 = 0, h1 = 0, h2 = 0, h3 = 0, h4 = 0, h5 = 0;
  for (let at = 0; at < words.length; at += 4) {
    const a = words[at], b = words[at + 1], c = words[at + 2], d = words[at + 3];
    h0 += a & MASK;
    h1 += ((a >>> 22) | (b << 10)) & MASK;
    h2 += ((b >>> 12) | (c << 20)) & MASK;
    h3 += (c >>> 2) & MASK;
    h4 += ((c >>> 24) | (d << 8)) & MASK;
    h5 += (d >>> 14) + 2 ** 18; // the bit above the 128 of a whole block
    const s0 = h0 * r0 + h1 * w5 + h2 * w4 + h3 * w3 + h4 * w2 + h5 * w1;
    const s1 = h0 * r1 + h1 * r0 + h2 * w5 + h3 * w4 + h4 * w3 + h5 * w2 + Math.floor(s0 / LIMB);
    const s2 = h0 * r2 + h1 * r1 + h2 * r0 + h3 * w5 + h4 * w4 + h5 * w3 + Math.floor(s1 / LIMB);
    const s3 = h0 * r3 + h1 * r2 + h2 * r1 + h3 * r0 + h4 * w5 + h5 * w4 + Math.floor(s2 / LIMB);
    const s4 = h0 * r4 + h1 * r3 + h2 * r2 + h3 * r1 + h4 * r0 + h5 * w5 + Math.floor(s3 / LIMB);
    const s5 = h0 * r5 + h1 * r4 + h2 * r3 + h3 * r2 + h4 * r1 + h5 * r0 + Math.floor(s4 / LIMB);
    const over = (s0 % LIMB) + WRAP * Math.floor(s5 / LIMB), carry = Math.floor(over / LIMB);
    h0 = over - carry * LIMB;
    h1 = (s1 % LIMB) + carry;
    h2 = s2 % LIMB; h3 = s3 % LIMB; h4 = s4 % LIMB; h5 = s5 % LIMB;
  }
  const sum = [h5, h4, h3, h2, h1, h0].reduce((value, limb) => value * BigInt(LIMB) + BigInt(limb), 0n) % PRIME;
  const tag = (sum + number(key.subarray(16, 32))) & (2n ** 128n - 1n);
  return Uint8Array.from({ length: 16 }, (_, at) => Number((tag >> BigInt(8 * at)) & 255n));
}

// The plaintext of ciphertext ‖ tag without associated data.
export function chachaOpen(key, nonce, sealed) {
  need(sealed.length >= 16, "age");
  const end = sealed.length - 16, blocks = Math.ceil(end / 16), words = new Uint32Array(4 * blocks + 4);
  const text = new Uint8Array(words.buffer); // the text, zeros to a whole block, both lengths
  text.set(sealed.subarray(0, end));
  words[4 * blocks + 2] = end;
  const [own, once] = [key, nonce].map((data) => new Uint32Array(data.slice().buffer));
  const start = Uint32Array.of(...CONSTANTS, ...own, 0, ...once), stream = new Uint32Array(16);
  block(start, stream);
  const tag = poly1305(new Uint8Array(stream.buffer, 0, 32), words);
  need(same(tag, sealed.subarray(end)), "age");
  for (let at = 0; at < 4 * blocks; at += 16) {
    start[12]++;
    block(start, stream);
    for (let word = 0; word < Math.min(16, 4 * blocks - at); word++) words[at + word] ^= stream[word];
  }
  return text.subarray(0, end);
}
