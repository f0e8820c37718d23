// Everything that is derived from the secrets of a bid, again (SB1 S4.1–S4.4), by tables of logarithms and Lagrange's
// scheme from the other side: not the code that dealt them.
import { canonicalBytes } from "../verify/canonical.js";
import { concat, encode, hex, sha256, tupleHash } from "../verify/bytes.js";

const EXP = new Uint8Array(510), LOG = new Uint8Array(256);
for (let power = 0, value = 1; power < 255; power++) {
  EXP[power] = EXP[power + 255] = value;
  LOG[value] = power;
  const twice = value << 1;
  value = (twice & 0x100 ? twice ^ 0x11b : twice) ^ value; // 3 generates the field
}
const times = (a, b) => (a === 0 || b === 0 ? 0 : EXP[LOG[a] + LOG[b]]);
const over = (a, b) => (a === 0 ? 0 : EXP[LOG[a] + 255 - LOG[b]]);

async function mac(key, data) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, data));
}
// HKDF with one block (RFC 5869), by its two halves.
const hkdf = async (secret, salt, info) => mac(await mac(salt, secret), concat(info, Uint8Array.of(1)));

export function contextOf({ bid, bidder, bidder_kid, lot, policy_sha256, seq, stage, tender }) {
  return canonicalBytes({ bid, bidder, bidder_kid, lot, policy_sha256, seq, stage, tender });
}

// The shares of all custodians: by powers of x, byte after byte.
export async function shares(secret, ctx, k, n) {
  const poly = await hkdf(secret, new Uint8Array(32), encode("mingbiao/sb1/poly")), terms = [secret];
  for (let j = 1; j < k; j++) {
    terms.push(await mac(poly, concat(encode("mingbiao/sb1/coef\0"), Uint8Array.of(j), ctx, Uint8Array.of(1))));
  }
  return Array.from({ length: n }, (_, at) => {
    const x = at + 1, share = new Uint8Array(33);
    let power = 1;
    for (const term of terms) {
      for (let byte = 0; byte < 32; byte++) share[byte] ^= times(power, term[byte]);
      power = times(power, x);
    }
    share[32] = x;
    return share;
  });
}

// The secret from k or more shares, by interpolation at 0.
export function combined(given) {
  const secret = new Uint8Array(given[0].length - 1), points = given.map((share) => share.at(-1));
  for (const share of given) {
    const x = share.at(-1);
    const weight = points.reduce((product, other) => (other === x ? product : times(product, over(other, other ^ x))), 1);
    for (let byte = 0; byte < secret.length; byte++) secret[byte] ^= times(weight, share[byte]);
  }
  return secret;
}

export const shareCommitment = async (share, ctx) => hex(await tupleHash("mingbiao/sb1/share-commit", share, ctx));
export const factorCommitment = async (factor, ctx) => hex(await tupleHash("mingbiao/sb1/bidder-factor", factor, ctx));
export const seedCommitment = async (seed, factor, ctx) => hex(await tupleHash("mingbiao/sb1/seed", seed, factor, ctx));

const LETTERS = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
function checksum(values) {
  return values.reduce((check, value) => {
    const next = ((check & 0x1ffffff) << 5) ^ value;
    return GENERATOR.reduce((sum, generator, bit) => (((check >>> 25) >> bit) & 1 ? sum ^ generator : sum), next);
  }, 1);
}
// An age identity in upper case: Bech32 of BIP 173.
function identityText(key) {
  const human = "age-secret-key-", codes = [...human].map((letter) => letter.charCodeAt(0)), values = [];
  let held = 0, bits = 0;
  for (const byte of key) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; ) values.push((held >> (bits -= 5)) & 31);
    held &= 31;
  }
  if (bits > 0) values.push((held << (5 - bits)) & 31);
  const check = checksum([...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31), ...values, 0, 0, 0, 0, 0, 0]) ^ 1;
  const tail = Array.from({ length: 6 }, (_, at) => (check >>> (5 * (5 - at))) & 31);
  return `${human.toUpperCase()}1${[...values, ...tail].map((value) => LETTERS[value]).join("")}`;
}
export async function identityOf(seed, factor, ctx, part) {
  return identityText(await hkdf(concat(seed, factor), await sha256(ctx), encode(`mingbiao/sb1/age-x25519/${part}`)));
}
