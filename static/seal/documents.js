// The bidder's smaller documents in their wire form: rehearsal (SB1 S6.4), withdrawal (S7.5), factor and rescue (S9.5, S9.6).
import { canonical, hex, must, sha256 } from "./encoding.js";
import { buildRehearsal, buildWithdrawal, signed, wireOf } from "./envelope.js";
import { readSaved } from "./package.js";

const drawn = () => crypto.getRandomValues(new Uint8Array(32));

// `given`: policy (its bytes), context without policy_sha256 and bidder_kid, key, created (ms).
async function contextOf({ policy, context, key }) {
  return { ...context, policy_sha256: hex(await sha256(policy)), bidder_kid: key.kid };
}

// With secrets of its own, which are forgotten at once.
export async function rehearsal(given) {
  const policy = JSON.parse(new TextDecoder().decode(given.policy)), { key, created } = given;
  const secrets = { seed: drawn(), factor: policy.bidder_factor ? drawn() : new Uint8Array(0) };
  const bytes = await buildRehearsal({ context: await contextOf(given), policy, ...secrets, created });
  return wireOf(bytes, await signed(bytes, key));
}

// `supersedes`: hex name of the version that is taken back.
export async function withdrawal(given) {
  const { created, supersedes, key } = given;
  const bytes = buildWithdrawal({ context: await contextOf(given), created, supersedes });
  return wireOf(bytes, await signed(bytes, key));
}

// `standing`: {bid, seq, sha256} of the version that is to be opened, whose saved package this must be.
async function savedOf({ file, passphrase, standing }) {
  const saved = await readSaved(file, passphrase), { bid, lot, seq, sha256: name, tender } = saved;
  must(bid === standing.bid, "package_elsewhere", { bid, lot, tender, wanted: standing.bid });
  must(name === standing.sha256, "package_version", { seq: String(seq), wanted: standing.seq });
  return saved;
}

// Nobody signs these two: only the bidder can know what is in them.
export async function factor(given) {
  const { bid, sha256: envelope, factor: secret } = await savedOf(given);
  must(secret !== "", "factor_none");
  return wireOf(canonical({ bid, envelope_sha256: envelope, s_b: secret, typ: "sb1.factor", v: 1 }));
}
export async function rescue(given) {
  const { bid, sha256: envelope, factor: s_b, seed: s_c } = await savedOf(given);
  return wireOf(canonical({ bid, envelope_sha256: envelope, s_b, s_c, typ: "sb1.rescue", v: 1 }));
}
