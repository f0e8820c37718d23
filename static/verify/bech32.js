// Bech32 (BIP 173, not bech32m) without the 90-character limit, as age uses it for identities (SB1 S4.4).
import { need } from "./bytes.js";

const ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

function polymod(values) {
  let check = 1;
  for (const value of values) {
    const top = check >>> 25;
    check = ((check & 0x1ffffff) << 5) ^ value;
    GENERATOR.forEach((generator, bit) => { if ((top >>> bit) & 1) check ^= generator; });
  }
  return check;
}
function expanded(human) {
  const codes = [...human].map((letter) => letter.charCodeAt(0));
  return [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)];
}

// The human part in lower case and the data.
export function bech32Decode(text) {
  need([text.toLowerCase(), text.toUpperCase()].includes(text), "age");
  const lower = text.toLowerCase(), mark = lower.lastIndexOf("1"), human = lower.slice(0, Math.max(mark, 0));
  const values = [...lower.slice(mark + 1)].map((letter) => ALPHABET.indexOf(letter));
  need(human !== "" && values.length >= 6 && !values.includes(-1), "age");
  need(polymod([...expanded(human), ...values]) === 1, "age");
  const data = [];
  let buffer = 0, bits = 0;
  for (const value of values.slice(0, -6)) {
    buffer = (buffer << 5) | value;
    bits += 5;
    if (bits >= 8) data.push((buffer >> (bits -= 8)) & 255);
    buffer &= (1 << bits) - 1;
  }
  need(bits < 5 && buffer === 0, "age");
  return [human, Uint8Array.from(data)];
}
