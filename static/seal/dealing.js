// Dealing a secret k of n with coefficients derived from it, and the commitments of a bid (SB1 S4.2, S4.3).
import { joined, sha256, tupleHash, utf8 } from "./encoding.js";

const EMPTY = new Uint8Array(0), SECRET = 32;

export async function hkdf(secret, salt, info) {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info }, key, 256));
}
// The first and only block of HKDF-Expand.
async function expanded(key, info) {
  const hmac = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", hmac, joined(info, Uint8Array.of(1))));
}

// The product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. No table: its time does not depend on a secret's bytes.
export function multiply(a, b) {
  let product = 0;
  for (let bit = 0; bit < 8; bit++) {
    product ^= -((b >> bit) & 1) & a;
    a = ((a << 1) ^ (-(a >> 7) & 0x11b)) & 0xff;
  }
  return product;
}

// coef_1 … coef_(k−1), 32 bytes each.
export async function polynomial(secret, ctx, k) {
  const poly = await hkdf(secret, EMPTY, utf8("mingbiao/sb1/poly")), label = utf8("mingbiao/sb1/coef");
  const numbers = Array.from({ length: k - 1 }, (_, at) => at + 1);
  return Promise.all(numbers.map((j) => expanded(poly, joined(label, Uint8Array.of(0, j), ctx))));
}

// share_i = y_1 … y_32 ‖ u8(i) for i = 1 … n.
export function split(secret, coefficients, n) {
  return Array.from({ length: n }, (_, at) => {
    const i = at + 1, share = new Uint8Array(secret.length + 1);
    for (let place = 0; place < secret.length; place++) {
      // Horner: the highest coefficient first.
      share[place] = multiply(coefficients.reduceRight((sum, coefficient) => multiply(sum, i) ^ coefficient[place], 0), i);
      share[place] ^= secret[place];
    }
    share[secret.length] = i;
    return share;
  });
}

// Everything is a function of the arguments: whoever learns the secret can re-derive and compare every share.
export async function deal(secret, ctx, k, n) {
  if (secret.length !== SECRET || !(k >= 2 && k <= n && n <= 16)) throw new RangeError("a secret of 32 bytes, 2 ≤ k ≤ n ≤ 16");
  const shares = split(secret, await polynomial(secret, ctx, k), n);
  return { shares, commitments: await Promise.all(shares.map((share) => tupleHash("mingbiao/sb1/share-commit", share, ctx))) };
}

export const commitFactor = (factor, ctx) => tupleHash("mingbiao/sb1/bidder-factor", factor, ctx);
export const commitSeed = (seed, factor, ctx) => tupleHash("mingbiao/sb1/seed", seed, factor, ctx);

// id_part of S4.4: the X25519 private key of a part.
export const partKey = async (seed, factor, ctx, part) =>
  hkdf(joined(seed, factor), await sha256(ctx), utf8(`mingbiao/sb1/age-x25519/${part}`));
