// ES256 signature objects over exact document bytes (P7.1, P7.2).
import { Fault, hex, need, unbase64url } from "./bytes.js";

const ORDER = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const PREFIX = "3059301306072a8648ce3d020106082a8648ce3d03010703420004";
const ZERO = "0".repeat(64);

export async function verifyEs256(spki, data, signature) {
  const raw = unbase64url(signature.sig), halves = [hex(raw.subarray(0, 32)), hex(raw.subarray(32))];
  need(raw.length === 64 && halves.every((half) => half > ZERO && half < ORDER), "signature");
  need(spki.length === 91 && hex(spki.subarray(0, 27)) === PREFIX, "key_form");
  let holds = false;
  try {
    const key = await crypto.subtle.importKey("spki", spki, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
    holds = await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, raw, data);
  } catch {
    throw new Fault("key_form"); // no point of the curve
  }
  need(holds, "signature");
}
