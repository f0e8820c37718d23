// The opening package: what the bidder keeps and needs in the factor window, locked by a passphrase (SB1 S6.2).
import { b64u, canonical, fromB64u, hex, must, parsed, sha256 } from "./encoding.js";
import { Decrypter, Encrypter } from "./libraries.js";

const WORK = 16; // log2 of scrypt's N: 64 MiB, which a tab has; readers take what the file says
const MOST = 2 ** 20; // bytes of a locked package: it holds an envelope and little else

export const packageBytes = ({ envelope, signature, policySha256, seed, factor, created }) => canonical({
  created, envelope: b64u(envelope), policy_sha256: policySha256, s_b: hex(factor), s_c: hex(seed), sig: signature,
  typ: "sb1.opening-package", v: 1,
});

export async function lock(data, passphrase) {
  const encrypter = new Encrypter();
  encrypter.setScryptWorkFactor(WORK);
  encrypter.setPassphrase(passphrase);
  return encrypter.encrypt(data);
}

export async function unlock(data, passphrase) {
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    return await decrypter.decrypt(data);
  } catch {
    must(false, "package");
  }
}

// What a saved package says: {bid, lot, seq, sha256, tender} of its version, `wire`: the signed envelope, and the secrets in
// hex, `seed` and `factor`, which is empty without one.
export async function readSaved(file, passphrase) {
  must(file.size <= MOST, "package");
  const data = await unlock(new Uint8Array(await file.arrayBuffer()), passphrase);
  const { typ, envelope: doc, sig, s_b: factor, s_c: seed } = parsed(data);
  must(typ === "sb1.opening-package", "package");
  const envelope = fromB64u(doc), { bid, lot, seq, tender } = parsed(envelope);
  return { bid, lot, seq, tender, sha256: hex(await sha256(envelope)), seed, factor, wire: { doc, sigs: [sig] } };
}
