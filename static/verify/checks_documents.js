// Checks of the documents: AL-07 (form, name, signatures, keys), AL-08 (named documents present), AL-12 (demo).
import { Fault, hexDigest, need, unbase64url } from "./bytes.js";
import { admit, admitObject, MAX_DOCUMENT } from "./canonical.js";
import { DOCUMENT_RULES, SIGNATURE_LIST, SIGNERS, TRANSCRIPT_RULES } from "./doctypes.js";
import { verifyEs256 } from "./es256.js";
import { Document } from "./evidence.js";
import { CONFIDENTIAL_DOCUMENTS, isPractice, NAMED_DOCUMENTS, TRANSCRIPT_FIELD } from "./records.js";

// Everything else of a ceremony is public only after `opening.completed` (S11).
const ALWAYS_PUBLIC = [
  "mb.closing-confirmation", "mb.contract", "mb.edition", "mb.notice", "mb.schedule", "sb1.custodian-key", "sb1.policy",
];

// AL-07, first half: admit every document; those that break a rule are not used further.
export async function loadDocuments(evidence) {
  const check = evidence.report.check("AL-07");
  for (const path of evidence.bundle.under("docs/")) {
    if (path.endsWith(".sig")) {
      if (!evidence.bundle.has(path.replace(/sig$/, "json"))) check.fail(path, "sig_alone");
      continue;
    }
    try {
      const document = await admitDocument(evidence.bundle, path);
      check.passed();
      evidence.documents.set(document.sha256, document);
    } catch (error) {
      check.caught(path, error);
    }
  }
}

async function admitDocument(bundle, path) {
  const data = await bundle.read(path, MAX_DOCUMENT), sha256 = await hexDigest(data);
  need(path === `docs/${sha256}.json`, "name_hash");
  const value = admitObject(data), { typ } = value;
  need(typeof typ === "string" && Object.hasOwn(DOCUMENT_RULES, typ), "typ_unknown", { typ: String(typ) });
  DOCUMENT_RULES[typ](value, typ);
  if (typ === "sb1.transcript") TRANSCRIPT_RULES[value.tier](value.items, typ);
  const signatures = path.replace(/json$/, "sig");
  if (!bundle.has(signatures)) return new Document(sha256, data, value, []);
  const sigs = admit(await bundle.read(signatures, MAX_DOCUMENT));
  SIGNATURE_LIST(sigs, "sig");
  return new Document(sha256, data, value, sigs);
}

// AL-07, second half: signatures by keys that the reader trusts, at the position of use.
export async function checkDocuments(evidence) {
  const check = evidence.report.check("AL-07");
  await loadKeys(evidence, check);
  for (const logged of evidence.records) {
    for (const [sha256] of namedDocuments(logged)) {
      const document = evidence.documents.get(sha256);
      if (document !== undefined) document.usedAt ??= logged.n;
    }
  }
  for (const document of evidence.documents.values()) await checkSignatures(evidence, check, document);
  for (const { kid, roles } of evidence.keys.roleClashes()) check.fail(`key ${kid}`, "key_roles", { roles: roles.join(", ") });
}

// (sha256, typ) of the documents that a record names; transcripts and secrets are looked up elsewhere.
function* namedDocuments(logged) {
  for (const table of [NAMED_DOCUMENTS, CONFIDENTIAL_DOCUMENTS]) {
    for (const [name, typ] of Object.entries(table[logged.kind] ?? {})) {
      if (Object.hasOwn(logged.body, name)) yield [logged.body[name], typ];
    }
  }
  if (logged.kind === "opening.completed") {
    for (const sha256 of logged.body[TRANSCRIPT_FIELD]) yield [sha256, "sb1.transcript"];
  }
}

async function loadKeys(evidence, check) {
  const ring = evidence.keys;
  const keep = (map, kid, event) => map.set(kid, [...(map.get(kid) ?? []), event]);
  for (const { n, body } of evidence.ofKind("key.registered")) {
    keep(ring.registered, body.kid, { n, org: body.org, role: body.role, enrolment: body.enrol_sha256 });
  }
  for (const { n, body } of evidence.ofKind("key.revoked")) keep(ring.revoked, body.kid, { n });
  for (const { place, value, sha256 } of evidence.ofType("mb.key-enrol")) {
    const key = unbase64url(value.key), kid = await hexDigest(key), events = ring.registered.get(kid) ?? [];
    if (events.some(({ org, role }) => org !== value.org || role !== value.role)) check.fail(place, "key_other_owner");
    if (events.some(({ enrolment }) => ![undefined, sha256].includes(enrolment))) check.fail(place, "key_other_enrolment");
    ring.spki.set(kid, key);
  }
}

async function checkSignatures(evidence, check, document) {
  const { typ, value, place } = document;
  const derived = typ === "mb.schedule" && value.cause !== null;
  const required = derived || isHidden(evidence, document) ? [] : SIGNERS[typ];
  if (required.length === 0 && document.sigs.length > 0) check.fail(place, "not_to_sign", { typ });
  const fail = confessed(evidence, document) ? "note" : "fail";
  let unknown = false;
  for (const signature of document.sigs) {
    try {
      const signer = await signerOf(evidence, document, signature);
      if (signer === null) check.gap(place, "algorithm", { alg: signature.alg });
      else document.signers.push(signer);
      unknown ||= signer === null;
      check.passed();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      check[fail](place, error.code, error.values);
    }
  }
  for (const role of required) {
    const own = ["self", "any"].includes(role);
    if (!own && document.signedBy(role) === null) check[unknown ? "gap" : fail](place, "not_signed_by", { role });
    else if (own && document.signers.length === 0 && !unknown) check.fail(place, "not_signed_by", { role: "owner" });
  }
}

// Whether this is the policy or schedule of a probe's lot, which was never published: nobody signs it.
function isHidden(evidence, { typ, value, sha256 }) {
  if (!["sb1.policy", "mb.schedule"].includes(typ)) return false;
  const own = (kind) => evidence.ofKind(kind).filter(({ procedure }) => procedure === value.tender);
  return own("tender.published").length === 0 &&
    own("probe.opened").some(({ body }) => [body.policy_sha256, body.schedule_sha256].includes(sha256));
}

// Whether the log itself says that this document does not count: S10 row 1, or left out malformed (D7).
function confessed(evidence, { typ, value }) {
  if (typ === "ed1.contribution") {
    return evidence.ofKind("draw.sealed").some(({ body }) => body.spec_sha256 === value.spec_sha256 &&
      body.left_out.some(({ party, reason }) => party === value.party && reason === "malformed"));
  }
  return typ === "sb1.envelope" && evidence.ofKind("bid.verdict").some(({ body }) =>
    body.bid === value.bid && body.verdict === "PLATFORM_BAD_INTAKE");
}

async function signerOf(evidence, document, signature) {
  const { typ, data, value } = document;
  if (typ === "mb.key-enrol") {
    const key = unbase64url(value.key);
    if (signature.kid === (await hexDigest(key)) && signature.alg === "ES256" && value.alg === "ES256") {
      await verifyEs256(key, data, signature);
      return { kid: signature.kid, role: value.role, name: value.org };
    }
  }
  return evidence.keys.verify(data, signature, document.usedAt);
}

const placeOf = ({ procedure, body }) => JSON.stringify([procedure, body.lot ?? null, body.stage ?? null]);

// AL-08, second half: each document that a record names is there and of the right type, if the tier holds it.
export function checkNamedDocuments(evidence) {
  const check = evidence.report.check("AL-08"), { kind } = evidence.header;
  if (!evidence.holds("public") || ["receipt", "bidder"].includes(kind)) return;
  checkSubject(evidence, check);
  const completed = new Set(evidence.ofKind("opening.completed").map(placeOf));
  for (const logged of evidence.records) {
    if (isPractice(logged.procedure)) continue;
    const veiled = kind === "public" && !logged.kind.startsWith("draw.") && !completed.has(placeOf(logged));
    for (const [name, wanted] of Object.entries(NAMED_DOCUMENTS[logged.kind] ?? {})) {
      if (!Object.hasOwn(logged.body, name)) continue;
      const sha256 = logged.body[name], types = wanted.split("|"), found = evidence.documents.get(sha256);
      if (found === undefined && veiled && !types.some((typ) => ALWAYS_PUBLIC.includes(typ))) {
        check.note(logged.place, "not_yet_public", { typ: wanted });
      } else {
        check.require(logged.place, found !== undefined && types.includes(found.typ), "no_document", { typ: wanted, sha256 });
      }
    }
    if (logged.kind === "opening.completed") checkTranscripts(evidence, check, logged);
  }
}

// A bundle of one procedure shows records of it and of no other; otherwise all its checks would be empty.
function checkSubject(evidence, check) {
  const { kind, procedure, lot, stage } = evidence.header;
  if (!["public", "auditor"].includes(kind)) return;
  const own = evidence.records.filter((logged) => logged.procedure === procedure);
  const shown = own.some(({ body }) => (body.lot ?? null) === lot && (body.stage ?? null) === stage);
  const holds = procedure !== null && own.length > 0 && (lot === null || stage === null || shown);
  check.require("bundle.json", holds, "no_subject");
  for (const logged of evidence.records) {
    if (logged.procedure !== null && logged.procedure !== procedure) {
      check.fail(logged.place, "other_procedure", { procedure: logged.procedure });
    }
  }
}

function checkTranscripts(evidence, check, logged) {
  const found = logged.body[TRANSCRIPT_FIELD].map((sha256) => evidence.document(sha256, "sb1.transcript"));
  const tiers = found.filter((document) => document !== null).map((document) => document.value.tier);
  for (const tier of ["bidders", "audit"]) {
    const count = tiers.filter((each) => each === tier).length;
    if (evidence.holds(tier)) check.require(logged.place, count === 1, "no_transcript", { tier });
    else if (tier === "audit" && count > 0) check.fail(logged.place, "secrets_shown");
  }
}

// AL-12: demo flags of origin and policies agree (P13).
export function checkDemo(evidence) {
  const check = evidence.report.check("AL-12"), demo = evidence.trust.origin.startsWith("demo.");
  const policies = [...evidence.ofType("sb1.policy"), ...evidence.ofType("ed1.policy")];
  evidence.report.demo = demo || policies.some((document) => document.value.demo);
  for (const { place, value } of policies) check.require(place, value.demo === demo, "demo_flag");
  check.passed();
}
