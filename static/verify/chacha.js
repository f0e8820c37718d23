// ChaCha20-Poly1305 of RFC 8439, opening only: WebCrypto has none everywhere, and age wants it. It runs on keys that a
// transcript has made public, or on the bidder's own machine, so that its time may tell what it likes. Words are read and
// written as the machine has them: little-endian wherever there is a browser.
import { need, same } from "./bytes.js";

const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];

// The 16 words of key stream of the counter that stands in `start`, into `stream`. Written out: with the words in an array
// it takes twice as long. Eight quarter rounds, columns first, then diagonals.
function block(start, stream) {
  let x0 = start[0], x1 = start[1], x2 = start[2], x3 = start[3], x4 = start[4], x5 = start[5], x6 = start[6], x7 = start[7];
  let x8 = start[8], x9 = start[9], x10 = start[10], x11 = start[11], x12 = start[12], x13 = start[13], x14 = start[14], x15 = start[15];
  for (let round = 0; round < 10; round++) {
    x0 = (x0 + x4) | 0; x12 ^= x0; x12 = (x12 << 16) | (x12 >>> 16); x8 = (x8 + x12) | 0; x4 ^= x8; x4 = (x4 << 12) | (x4 >>> 20);
    x0 = (x0 + x4) | 0; x12 ^= x0; x12 = (x12 << 8) | (x12 >>> 24); x8 = (x8 + x12) | 0; x4 ^= x8; x4 = (x4 << 7) | (x4 >>> 25);
    x1 = (x1 + x5) | 0; x13 ^= x1; x13 = (x13 << 16) | (x13 >>> 16); x9 = (x9 + x13) | 0; x5 ^= x9; x5 = (x5 << 12) | (x5 >>> 20);
    x1 = (x1 + x5) | 0; x13 ^= x1; x13 = (x13 << 8) | (x13 >>> 24); x9 = (x9 + x13) | 0; x5 ^= x9; x5 = (x5 << 7) | (x5 >>> 25);
    x2 = (x2 + x6) | 0; x14 ^= x2; x14 = (x14 << 16) | (x14 >>> 16); x10 = (x10 + x14) | 0; x6 ^= x10; x6 = (x6 << 12) | (x6 >>> 20);
    x2 = (x2 + x6) | 0; x14 ^= x2; x14 = (x14 << 8) | (x14 >>> 24); x10 = (x10 + x14) | 0; x6 ^= x10; x6 = (x6 << 7) | (x6 >>> 25);
    x3 = (x3 + x7) | 0; x15 ^= x3; x15 = (x15 << 16) | (x15 >>> 16); x11 = (x11 + x15) | 0; x7 ^= x11; x7 = (x7 << 12) | (x7 >>> 20);
    x3 = (x3 + x7) | 0; x15 ^= x3; x15 = (x15 << 8) | (x15 >>> 24); x11 = (x11 + x15) | 0; x7 ^= x11; x7 = (x7 << 7) | (x7 >>> 25);
    x0 = (x0 + x5) | 0; x15 ^= x0; x15 = (x15 << 16) | (x15 >>> 16); x10 = (x10 + x15) | 0; x5 ^= x10; x5 = (x5 << 12) | (x5 >>> 20);
    x0 = (x0 + x5) | 0; x15 ^= x0; x15 = (x15 << 8) | (x15 >>> 24); x10 = (x10 + x15) | 0; x5 ^= x10; x5 = (x5 << 7) | (x5 >>> 25);
    x1 = (x1 + x6) | 0; x12 ^= x1; x12 = (x12 << 16) | (x12 >>> 16); x11 = (x11 + x12) | 0; x6 ^= x11; x6 = (x6 << 12) | (x6 >>> 20);
    x1 = (x1 + x6) | 0; x12 ^= x1; x12 = (x12 << 8) | (x12 >>> 24); x11 = (x11 + x12) | 0; x6 ^= x11; x6 = (x6 << 7) | (x6 >>> 25);
    x2 = (x2 + x7) | 0; x13 ^= x2; x13 = (x13 << 16) | (x13 >>> 16); x8 = (x8 + x13) | 0; x7 ^= x8; x7 = (x7 << 12) | (x7 >>> 20);
    x2 = (x2 + x7) | 0; x13 ^= x2; x13 = (x13 << 8) | (x13 >>> 24); x8 = (x8 + x13) | 0; x7 ^= x8; x7 = (x7 << 7) | (x7 >>> 25);
    x3 = (x3 + x4) | 0; x14 ^= x3; x14 = (x14 << 16) | (x14 >>> 16); x9 = (x9 + x14) | 0; x4 ^= x9; x4 = (x4 << 12) | (x4 >>> 20);
    x3 = (x3 + x4) | 0; x14 ^= x3; x14 = (x14 << 8) | (x14 >>> 24); x9 = (x9 + x14) | 0; x4 ^= x9; x4 = (x4 << 7) | (x4 >>> 25);
  }
  stream[0] = x0 + start[0]; stream[1] = x1 + start[1]; stream[2] = x2 + start[2]; stream[3] = x3 + start[3];
  stream[4] = x4 + start[4]; stream[5] = x5 + start[5]; stream[6] = x6 + start[6]; stream[7] = x7 + start[7];
  stream[8] = x8 + start[8]; stream[9] = x9 + start[9]; stream[10] = x10 + start[10]; stream[11] = x11 + start[11];
  stream[12] = x12 + start[12]; stream[13] = x13 + start[13]; stream[14] = x14 + start[14]; stream[15] = x15 + start[15];
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
