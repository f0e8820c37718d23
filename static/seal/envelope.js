// The envelope: context, commitments, one sealed share for each custodian, and what the parts are (SB1 S4.1, S4.5).
import { commitFactor, commitSeed, deal } from "./dealing.js";
import { b64u, canonical, fromB64u, hex, joined, utf8 } from "./encoding.js";
import { Aes256Gcm, CipherSuite, HkdfSha256, XWing } from "./libraries.js";

const CONTEXT = ["bid", "bidder", "bidder_kid", "lot", "policy_sha256", "seq", "stage", "tender"];

// ctx: exactly these eight fields, without typ and v.
export const contextBytes = (fields) => canonical(Object.fromEntries(CONTEXT.map((name) => [name, fields[name]])));

export const hpke = () => new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
export const shareInfo = (i, ctx) => joined(utf8("mingbiao/sb1/share"), Uint8Array.of(0, i), ctx);

// Encapsulated key ‖ ciphertext, 1169 bytes for a share.
export async function sealTo(suite, key, info, plain) {
  const recipientPublicKey = await suite.kem.deserializePublicKey(key);
  const { enc, ct } = await suite.seal({ recipientPublicKey, info }, plain);
  return joined(new Uint8Array(enc), new Uint8Array(ct));
}

// Context, commitments and sealed shares: what envelopes and rehearsals have in common.
async function sealedFields({ context, policy, seed, factor, created }) {
  const ctx = contextBytes(context), { custodians, k } = policy, suite = hpke();
  const { shares, commitments } = await deal(seed, ctx, k, custodians.length), rows = [];
  for (const [at, { hpke_pk: key, i }] of custodians.entries()) {
    const ct = await sealTo(suite, fromB64u(key), shareInfo(i, ctx), shares[at]);
    rows.push({ c: hex(commitments[at]), ct: b64u(ct), i });
  }
  return {
    ...Object.fromEntries(CONTEXT.map((name) => [name, context[name]])),
    created,
    factor_commit: policy.bidder_factor ? hex(await commitFactor(factor, ctx)) : null,
    seed_commit: hex(await commitSeed(seed, factor, ctx)),
    shares: rows,
  };
}

// `parts`: {name, sha256, size} of the ciphertexts; `supersedes`: hex name of the version before, null for the first.
export async function buildEnvelope({ parts, supersedes, ...given }) {
  if ((supersedes === null) !== (given.context.seq === 1)) throw new RangeError("supersedes is null for the first version alone");
  const rows = parts.map((part) => ({ alg: "age-encryption.org/v1", ...part }));
  return canonical({ ...(await sealedFields(given)), parts: rows, supersedes, typ: "sb1.envelope", v: 1 });
}

// Real keys, no parts, another stage, so that no share of a bid can be opened under it (S6.4).
export async function buildRehearsal(given) {
  const context = { ...given.context, stage: "rehearsal", seq: 1 };
  return canonical({ ...(await sealedFields({ ...given, context })), supersedes: null, typ: "sb1.rehearsal", v: 1 });
}

// Takes back the version `supersedes` (hex); whoever has withdrawn may submit again (S7.5).
export function buildWithdrawal({ context, created, supersedes }) {
  const fields = Object.fromEntries(CONTEXT.map((name) => [name, context[name]]));
  return canonical({ ...fields, created, supersedes, typ: "sb1.withdrawal", v: 1 });
}

// A document in its wire form (P7.1), with the signatures it has.
export const wireOf = (bytes, ...sigs) => ({ doc: b64u(bytes), sigs });

// A signature object of P7.1 by the key of this device, which signs and is never given away.
export async function signed(bytes, { private: key, kid }) {
  const sig = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, bytes);
  return { alg: "ES256", kid, sig: b64u(new Uint8Array(sig)) };
}
