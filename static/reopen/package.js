// The policy package of a lot before anything is sealed under it (SB1 S3.3): nothing that came with it is believed, only
// keys of the bidder's own trust file. Without one the same is checked but for whose keys they are, and the page must ask.
import { alike, need, unbase64url } from "../verify/bytes.js";
import { admitObject } from "../verify/canonical.js";
import { DOCUMENT_RULES, SIGNATURE_LIST } from "../verify/doctypes.js";
import { verifyEs256 } from "../verify/es256.js";
import { readTrust } from "../verify/trust.js";

const CLOSE_TO_THE_BUYER = ["operator", "agency"], INDEPENDENT = ["supervisor", "notary"];

function document({ doc, sigs }, typ) {
  const data = unbase64url(doc), value = admitObject(data);
  DOCUMENT_RULES[typ](value, typ);
  SIGNATURE_LIST(sigs, "signatures");
  return { data, value, sigs };
}

// Who may hold shares, by the roles alone: a client has no register of affiliates (S3.1).
function checkCustodians({ bidder_factor: factor, custodians, k }) {
  const n = custodians.length, roles = custodians.map(({ role }) => role);
  need(alike(custodians.map(({ i }) => i), Array.from({ length: n }, (_, at) => at + 1)), "custodians");
  for (const field of ["hpke_pk", "kid", "name"]) need(new Set(custodians.map((row) => row[field])).size === n, "custodians");
  need(k >= 2 && k < n && roles.filter((role) => CLOSE_TO_THE_BUYER.includes(role)).length < k, "custodians");
  need(factor || (k >= 3 && roles.some((role) => INDEPENDENT.includes(role))), "custodians");
}

async function signedBy(trust, { data, sigs }, fits) {
  for (const signature of sigs) {
    const institution = trust.institutions.get(signature.kid);
    if (institution === undefined || !fits(institution)) continue;
    await verifyEs256(institution.spki, data, signature);
    return;
  }
  need(false, "not_trusted");
}

async function checkKey(policy, row, key, trust) {
  const told = ["hpke_pk", "name", "role"].every((name) => key.value[name] === row[name]);
  const here = ["lot", "stage", "suite", "tender"].every((name) => key.value[name] === policy[name]);
  need(told && here, "custodian_key", { name: row.name });
  if (trust === null) return;
  await signedBy(trust, key, ({ kid, role, name }) => kid === row.kid && role === "custodian" && name === row.name);
}

// `trustData`: bytes of the trust file, or null. `place`: {lot, stage, tender} that was asked for.
// Returns {policy, data, close, byRule}: `data` are the bytes of the policy; a deadline `byRule` has no signature (TE1 T6).
export async function checkPackage(wire, place, trustData) {
  const policy = document(wire.policy, "sb1.policy"), schedule = document(wire.schedule, "mb.schedule");
  const keys = wire.custodian_keys.map((each) => document(each, "sb1.custodian-key"));
  const { value } = policy, trust = trustData === null ? null : await readTrust(trustData);
  for (const name of ["lot", "stage", "tender"]) {
    need(value[name] === place[name] && schedule.value[name] === place[name], "other_lot");
  }
  need(value.parts.includes("price") === (value.price_bytes !== null) && (value.price_bytes ?? 0) % 4096 === 0, "custodians");
  checkCustodians(value);
  need(keys.length === value.custodians.length, "custodians");
  for (const [at, row] of value.custodians.entries()) await checkKey(value, row, keys[at], trust);
  const byRule = schedule.value.cause !== null;
  if (trust !== null) {
    need(value.demo === trust.origin.startsWith("demo."), "demo");
    await signedBy(trust, policy, ({ role }) => role === "agency");
    if (!byRule) await signedBy(trust, schedule, ({ role }) => role === "agency");
  }
  return { policy: value, data: policy.data, close: schedule.value.close, byRule };
}
