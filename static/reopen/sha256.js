// SHA-256 of a stream (FIPS 180-4): WebCrypto hashes what stands in memory as a whole, and the sealing path's library may
// not judge itself.

const PRIMES = [];
for (let candidate = 2; PRIMES.length < 64; candidate++) {
  if (PRIMES.every((prime) => candidate % prime !== 0)) PRIMES.push(candidate);
}
// The first 32 bits of the fraction of a root, in whole numbers: floor(n^(1/k) · 2^32) modulo 2^32.
function fraction(prime, power) {
  const target = BigInt(prime) << BigInt(32 * power);
  let root = 0n;
  for (let bit = 36n; bit >= 0n; bit--) {
    const higher = root | (1n << bit);
    if (higher ** BigInt(power) <= target) root = higher;
  }
  return Number(root & 0xffffffffn);
}
const START = PRIMES.slice(0, 8).map((prime) => fraction(prime, 2));
const ROUND = Int32Array.from(PRIMES, (prime) => fraction(prime, 3));

export class Sha256 {
  constructor() {
    Object.assign(this, { state: Int32Array.from(START), held: new Uint8Array(64), used: 0, length: 0, words: new Int32Array(64) });
  }
  update(data) {
    this.length += data.length;
    let at = 0;
    if (this.used > 0) {
      at = Math.min(64 - this.used, data.length);
      this.held.set(data.subarray(0, at), this.used);
      this.used += at;
      if (this.used < 64) return this;
      this.block(this.held, 0);
      this.used = 0;
    }
    for (; at + 64 <= data.length; at += 64) this.block(data, at);
    this.held.set(data.subarray(at));
    this.used = data.length - at;
    return this;
  }
  block(data, from) {
    const { words, state } = this;
    for (let at = 0, next = from; at < 16; at++, next += 4) {
      words[at] = (data[next] << 24) | (data[next + 1] << 16) | (data[next + 2] << 8) | data[next + 3];
    }
    for (let at = 16; at < 64; at++) {
      const x = words[at - 15], y = words[at - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      words[at] = (words[at - 16] + s0 + words[at - 7] + s1) | 0;
    }
    // One by one: to take an array apart costs more than the rounds.
    let a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (let at = 0; at < 64; at++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const one = (h + s1 + (g ^ (e & (f ^ g))) + ROUND[at] + words[at]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const two = (s0 + ((a & b) | (c & (a | b)))) | 0;
      h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  }
  digest() {
    const bits = 8 * this.length, padding = new Uint8Array(((this.used < 56 ? 56 : 120) - this.used) + 8);
    padding[0] = 0x80;
    new DataView(padding.buffer).setBigUint64(padding.length - 8, BigInt(bits));
    this.update(padding);
    const result = new DataView(new ArrayBuffer(32));
    this.state.forEach((word, at) => result.setInt32(4 * at, word));
    return new Uint8Array(result.buffer);
  }
}
