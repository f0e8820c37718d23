// The look back before anything is sent (SB1 S6.1): everything is read again as it will be sent, derived again from the
// secrets, decrypted and compared with the input, by the modules of the bundle verifier and by others that share nothing
// with static/seal. What does not hold is a fault of this client: {step, code, values}, without a secret.
import { alike, Fault, hexDigest, need, unbase64url } from "../verify/bytes.js";
import { admitObject } from "../verify/canonical.js";
import { DOCUMENT_RULES } from "../verify/doctypes.js";
import { verifyEs256 } from "../verify/es256.js";
import { openAgeFile } from "../verify/age.js";
import { hex } from "../verify/bytes.js";
import { lookAtMain, lookAtPrice } from "./content.js";
import { combined, contextOf, factorCommitment, identityOf, seedCommitment, shareCommitment, shares } from "./dealing.js";
import { Sha256 } from "./sha256.js";

const MOST_ENVELOPE = 65536;
const LOOKS = { main: lookAtMain, price: lookAtPrice };

// `sealed`: envelope, signature, spki (b64u), policy, seed, factor, parts {name: file}, expected {price, manifest, files}.
// Returns null, or the fault.
export async function reopen(sealed, tell = () => {}) {
  let step = "envelope";
  try {
    const { envelope, policy } = await documents(sealed);
    step = "derivation";
    await checkDerivations(envelope, policy, sealed);
    step = "parts";
    const total = Object.values(sealed.parts).reduce((sum, file) => sum + file.size, 0);
    let done = 0;
    for (const row of envelope.parts) {
      await checkPart(row, { ...sealed, envelope, policy }, (bytes) => tell((done += bytes), total));
    }
    return null;
  } catch (error) {
    return error instanceof Fault
      ? { step, code: error.code, values: error.values }
      : { step, code: "broken", values: { name: String(error?.name) } };
  }
}

async function documents({ envelope: data, signature, spki, policy: policyData }) {
  const envelope = admitObject(data, MOST_ENVELOPE), policy = admitObject(policyData);
  DOCUMENT_RULES["sb1.envelope"](envelope, "sb1.envelope");
  DOCUMENT_RULES["sb1.policy"](policy, "sb1.policy");
  const key = unbase64url(spki), kid = await hexDigest(key);
  need(signature.alg === "ES256" && signature.kid === kid && envelope.bidder_kid === kid, "envelope_key");
  await verifyEs256(key, data, signature);
  need(envelope.policy_sha256 === (await hexDigest(policyData)), "envelope_policy");
  need(["lot", "stage", "tender"].every((name) => envelope[name] === policy[name]), "envelope_policy");
  need((envelope.supersedes === null) === (envelope.seq === 1), "envelope_policy");
  need(alike(envelope.parts.map(({ name }) => name), policy.parts), "envelope_policy");
  need(alike(envelope.shares.map(({ i }) => i), policy.custodians.map(({ i }) => i)), "envelope_policy");
  need((envelope.factor_commit !== null) === policy.bidder_factor, "envelope_policy");
  return { envelope, policy };
}

async function checkDerivations(envelope, policy, { seed, factor }) {
  const ctx = contextOf(envelope), { k, custodians: { length: n } } = policy;
  need(seed.length === 32 && factor.length === (policy.bidder_factor ? 32 : 0), "secret");
  need(envelope.seed_commit === (await seedCommitment(seed, factor, ctx)), "seed_commit");
  const commitment = policy.bidder_factor ? await factorCommitment(factor, ctx) : null;
  need(envelope.factor_commit === commitment, "factor_commit");
  const dealt = await shares(seed, ctx, k, n);
  for (const [at, { c, i }] of envelope.shares.entries()) {
    need(c === (await shareCommitment(dealt[at], ctx)), "share_commit", { i });
  }
  // Any k of them give the secret back; two choices that share as little as they can.
  for (const chosen of [dealt.slice(0, k), dealt.slice(n - k)]) need(hex(combined(chosen)) === hex(seed), "combine");
}

async function checkPart({ name, sha256, size }, sealed, tell) {
  const file = sealed.parts[name], state = new Sha256(), { envelope, seed, factor } = sealed;
  need(file !== undefined && file.size === size, "part_size", { name });
  const identity = await identityOf(seed, factor, contextOf(envelope), name);
  const seen = (data) => {
    state.update(data);
    tell(data.length);
  };
  await LOOKS[name](openAgeFile(identity, file, seen), sealed);
  need(hex(state.digest()) === sha256, "part_hash", { name });
}
