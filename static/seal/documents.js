// The bidder's smaller documents in their wire form: rehearsal (SB1 S6.4), withdrawal (S7.5) and factor (S9.5).
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

// `standing`: {bid, sha256} of the version that is to be opened. Nobody signs a factor: only the bidder can know it.
export async function factor({ file, passphrase, standing }) {
  const { bid, sha256: envelope, factor: secret } = await readSaved(file, passphrase);
  must(bid === standing.bid && envelope === standing.sha256, "package_other");
  must(secret !== "", "factor_none");
  return wireOf(canonical({ bid, envelope_sha256: envelope, s_b: secret, typ: "sb1.factor", v: 1 }));
}
