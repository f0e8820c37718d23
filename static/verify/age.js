// Reader of age v1 files for one X25519 recipient, restricted so that the opened content is unique (SB1 S4.6): exactly one
// X25519 stanza, other stanzas only of a type ending in -grease, no armor. Identity and content are public where it runs.
import { chachaOpen } from "./chacha.js";
import { concat, encode, Fault, need, unbase64 } from "./bytes.js";
import { bech32Decode } from "./bech32.js";

const VERSION = "age-encryption.org/v1", TAG = 16, NONCE = 16, SEALED = 65536 + TAG, MOST_HEADER = 65536;
const AT_ONCE = 16; // chunks that are read together
const STANZA = /^-> [\x21-\x7e]+(?: [\x21-\x7e]+)*$/;
// An X25519 private key in the one PKCS #8 form of RFC 8410: WebCrypto takes no bare one.
const PKCS8 = Uint8Array.of(0x30, 0x2e, 0x02, 0x01, 0, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20);

export async function openAge(identity, data) {
  const opened = [];
  for await (const plain of openAgeFile(identity, new Blob([data]))) opened.push(plain);
  return concat(...opened);
}

// The plaintext of a file in chunks, each of them authentic; that there are no more shows at the end. `seen` gets every
// byte of the file once, in order.
export async function* openAgeFile(identity, file, seen = () => {}) {
  const part = async (from, to) => new Uint8Array(await file.slice(from, to).arrayBuffer());
  const start = await part(0, MOST_HEADER + NONCE), header = readHeader(start), body = header.length + NONCE;
  const fileKey = await unwrapped(identity, header);
  const secret = await derived(fileKey, new Uint8Array(0), "header"), hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", secret, hmac, false, ["verify"]);
  need(await crypto.subtle.verify("HMAC", key, header.mac, header.signed), "age");
  need(start.length >= body, "age");
  seen(start.subarray(0, body));
  const payload = await derived(fileKey, start.subarray(header.length, body), "payload");
  for (let at = body, counter = 0; at === body || at < file.size; at += AT_ONCE * SEALED) {
    const data = await part(at, at + AT_ONCE * SEALED);
    seen(data);
    for (let place = 0; place === 0 || place < data.length; place += SEALED, counter++) {
      yield chunk(payload, counter, data.subarray(place, place + SEALED), at + place + SEALED >= file.size);
    }
  }
}

function readHeader(data) {
  let at = 0;
  const next = () => {
    const end = data.indexOf(10, at);
    need(end >= 0 && end < MOST_HEADER, "age");
    const line = String.fromCharCode(...data.subarray(at, end));
    at = end + 1;
    return line;
  };
  need(next() === VERSION, "age");
  const found = [];
  let start = at, line = next();
  for (; line.startsWith("-> "); start = at, line = next()) {
    need(STANZA.test(line), "age");
    const [kind, ...values] = line.slice(3).split(" ");
    let text = "", part = null;
    do {
      part = next();
      need(part.length <= 64, "age");
      text += part;
    } while (part.length === 64);
    if (kind === "X25519") found.push(values.concat(text).map((each) => unpadded(each, 32)));
    else need(kind.endsWith("-grease") && unpadded(text) !== null, "age");
  }
  need(line.startsWith("--- ") && found.length === 1 && found[0].length === 2, "age");
  const [share, body] = found[0];
  return { share, body, mac: unpadded(line.slice(4), 32), signed: concat(data.subarray(0, start), encode("---")), length: at };
}

function unpadded(text, length = null) {
  need(!text.includes("="), "age");
  const data = unbase64(text + "=".repeat((4 - (text.length % 4)) % 4));
  need(length === null || data.length === length, "age");
  return data;
}

async function unwrapped(identity, { share, body }) {
  const [human, scalar] = bech32Decode(identity);
  need(human === "age-secret-key-" && identity === identity.toUpperCase() && scalar.length === 32, "age");
  const secret = await crypto.subtle.importKey("pkcs8", concat(PKCS8, scalar), { name: "X25519" }, true, ["deriveBits"]);
  const recipient = unbase64url((await crypto.subtle.exportKey("jwk", secret)).x);
  let shared = null;
  try {
    const other = await crypto.subtle.importKey("raw", share, { name: "X25519" }, true, []);
    shared = new Uint8Array(await crypto.subtle.deriveBits({ name: "X25519", public: other }, secret, 256));
  } catch {
    throw new Fault("age"); // a point of small order
  }
  const key = await derived(shared, concat(share, recipient), `${VERSION}/X25519`);
  const fileKey = chachaOpen(key, new Uint8Array(12), body);
  need(fileKey.length === 16, "age");
  return fileKey;
}
const unbase64url = (text) => unpadded(text.replaceAll("-", "+").replaceAll("_", "/"), 32);

async function derived(secret, salt, info) {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  return new Uint8Array(await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info: encode(info) }, key, 256));
}

// Chunks of 64 KiB; only the last one carries the flag, and none but a first one is empty.
function chunk(key, counter, sealed, isLast) {
  const nonce = new Uint8Array(12);
  need(sealed.length > TAG || (sealed.length === TAG && counter === 0), "age");
  new DataView(nonce.buffer).setUint32(7, counter);
  nonce[11] = isLast ? 1 : 0;
  return chachaOpen(key, nonce, sealed);
}
