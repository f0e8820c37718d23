// Registry of record kinds and the fields of their bodies (AL1 L1.1, L2), and which documents a record names.
import { FAULTS, VERDICT } from "./doctypes.js";
import { DRAW_ID, KEY_USE, PARTY_ID, STRATUM_ID } from "./drawtypes.js";
import {
  BID, BOOL, COUNT, DECIMAL, HEX32, INDEX, INT, MS, NAME, SEQ, STAGE, TEXT, anObject, array, blob, choice,
  matching, nullable, shape,
} from "./fields.js";

export const RECORD_FIELDS = shape({
  actor: NAME, article: nullable(NAME), at: MS, body: anObject,
  kind: matching(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/), on_behalf_of: nullable(NAME), procedure: nullable(NAME),
  request: nullable(NAME), subject: NAME, v: choice(1),
});
export const RECEIPT_EXTRA = shape({
  n: COUNT, nonce: HEX32, p: HEX32, record: blob(), t: MS, typ: choice("al1.receipt"), v: choice(1),
}, { q: HEX32 });
const LOT_BODY = { lot: NAME, stage: STAGE };
const BID_BODY = { bid: BID, bidder: NAME, ...LOT_BODY };
const SPEC = { spec_sha256: HEX32 };
const DAY = shape({ day: matching(/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/), is_workday: BOOL, name: TEXT });
const RANKED = shape({
  bid: BID, bidder: NAME, evaluated_price: INT, price: INT, rank: nullable(SEQ), reason: nullable(NAME),
}, {
  preference: nullable(NAME), score: nullable(NAME),
  scores: nullable(array(shape({ criterion: NAME, sum: DECIMAL }))),
  price_points: NAME, deviations: array(shape({ id: NAME, units: DECIMAL })),
});
const RANKING = {
  currency: NAME, edition_sha256: HEX32, items: array(RANKED, { by: "bid" }), method: NAME,
  tie: nullable(shape({ bids: array(BID), rule: NAME, seed: HEX32 })),
  ...LOT_BODY,
};
const WORKINGS = {
  ceiling_reduction: nullable(DECIMAL), ceiling_weight: nullable(DECIMAL), reduction: nullable(DECIMAL),
  benchmark: NAME, places: SEQ, price: matching(/^[1-9][0-9]*(\/[1-9][0-9]*)?$/), seed: nullable(HEX32),
};
const STEP = choice("qualification", "conformity", "price");
const OUTCOME = choice("conforming", "invalid");
const PREFERENCE = choice(
  null, "small_micro", "consortium", "domestic", "small_micro+domestic", "consortium+domestic",
);
const MEMBERSHIP = { account: NAME, jurisdiction: NAME, org: NAME, person: NAME, role: NAME };
const KEY = {
  alg: NAME, approved_by: array(NAME), kid: HEX32, org: NAME, role: NAME, second_factor: BOOL, spki_sha256: HEX32,
};
const BODIES = {
  "organisation.registered": { code: NAME, name_en: TEXT, name_zh: TEXT, roles: array(NAME) },
  "organisation.affiliation_stated": { affiliated: BOOL, codes: array(NAME, { by: "" }), ground: TEXT },
  "membership.granted": MEMBERSHIP,
  "membership.ended": { ...MEMBERSHIP, reason: TEXT }, "calendar.changed": { days: array(DAY), source: TEXT },
  "procedure.drafted": { edition_id: NAME, edition_sha256: HEX32, regime: NAME, ...SPEC },
  "procedure.submitted": { ...SPEC, reason: nullable(TEXT) },
  "procedure.returned": { ...SPEC, reason: nullable(TEXT) },
  "procedure.cancelled": { notice_sha256: HEX32, reason: TEXT },
  "custodian.challenged": { challenge_sha256: HEX32, custodian_key_sha256: HEX32 },
  "custodian.proved": { challenge: HEX32, custodian_key_sha256: HEX32 },
  "custodian.key_disclosed": { auditor: NAME, custodian: INDEX, disclosure_sha256: HEX32, ...LOT_BODY },
  "custodian.key_destroyed": { custodian: INDEX, destroyed_sha256: HEX32, ...LOT_BODY },
  "policy.fixed": { policy_sha256: HEX32, schedule_sha256: HEX32, ...LOT_BODY },
  "tender.published": { notice_sha256: HEX32, schedule_sha256: HEX32, ...LOT_BODY },
  "tender.changed": {
    cause: nullable(TEXT), evidence: array(HEX32), notice_sha256: HEX32, schedule_sha256: HEX32, ...LOT_BODY,
  },
  "question.asked": { asker_sha256: HEX32, lot: nullable(NAME), question: NAME, text_sha256: HEX32 },
  "answer.drafted": { content_sha256: HEX32, question: NAME, version: SEQ },
  "answer.published": {
    answer_en: TEXT, answer_zh: TEXT, effect: choice("affects", "amends", "explains"), lot: nullable(NAME),
    notice: nullable(SEQ), number: SEQ, question: NAME, question_en: TEXT, question_zh: TEXT, version: SEQ,
  },
  "rehearsal.checked": { bid: BID, results: array(shape({ custodian: INDEX, ok: BOOL })) },
  "bid.started": BID_BODY,
  "probe.opened": { bidder: NAME, policy_sha256: HEX32, schedule_sha256: HEX32, vantage: NAME, ...LOT_BODY },
  "practice.opened": { policy_sha256: HEX32, schedule_sha256: HEX32, ...LOT_BODY },
  "bid.refused": { code: NAME, envelope_sha256: HEX32, queue_ms: COUNT, received_at: MS },
  "bid.replicated": { envelope_sha256: HEX32, store: NAME },
  "bid.destroyed": { envelope_sha256s: array(HEX32), store: NAME },
  "deadline.reached": { close: MS, ...LOT_BODY },
  "tender.closed": {
    bids_root: HEX32, close: MS, closed_at: MS, count: COUNT, heartbeat_size: COUNT, policy_sha256: HEX32,
    schedule_sha256: HEX32, ...LOT_BODY,
  },
  "opening.refused": { reason: NAME, ...LOT_BODY }, "closing.blocked": { reason: NAME, ...LOT_BODY },
  "closing.confirmed": { doc_sha256: HEX32, reason: NAME, ...LOT_BODY },
  "lot.failed": { reason: NAME, rule: NAME, ...LOT_BODY }, "open.ordered": { order_sha256: HEX32, ...LOT_BODY },
  "objection.raised": { bid: BID, envelope_sha256: HEX32, order_sha256: HEX32, ...LOT_BODY },
  "objection.decided": { decision_sha256: HEX32, order_sha256: HEX32, ...LOT_BODY },
  "share.checked": { check_sha256: HEX32, custodian: INDEX, ...LOT_BODY },
  "share.adjudicated": { adjudication_sha256: HEX32, custodian: INDEX, ...LOT_BODY },
  "share.released": { custodian: INDEX, release_sha256: HEX32, ...LOT_BODY },
  "release.gaps": { bids: array(BID, { by: "" }), ...LOT_BODY },
  "release.closed": LOT_BODY,
  "rescue.accepted": { bid: BID, envelope_sha256: HEX32, received_at: MS },
  "factor.opened": { ends_at: MS, ...LOT_BODY },
  "factor.revealed": {
    bid: BID, envelope_sha256: HEX32, received_at: MS, via: choice("platform", "supervisor", "custodian"),
  },
  "factor.refused": { bid: BID, code: NAME, envelope_sha256: HEX32, received_at: MS },
  "factor.closed": { factor_list_sha256: HEX32, ...LOT_BODY },
  "opening.combined": { items: array(shape({ bid: BID, faults: FAULTS, verdict: VERDICT })), ...LOT_BODY },
  "bid.opened": {
    bid: BID, bidder: NAME, envelope_sha256: HEX32, manifest_sha256: nullable(HEX32), price: nullable(anObject),
    price_sha256: nullable(HEX32),
  },
  "bid.verdict": { bid: BID, faults: FAULTS, verdict: VERDICT },
  "bid.inspected": { bid: BID, clean: COUNT, list_sha256: HEX32, quarantined: COUNT, warned: COUNT },
  "opening.objected": { text: TEXT, ...LOT_BODY }, "opening.answered": { objected_h: HEX32, text: TEXT, ...LOT_BODY },
  "opening.completed": { transcript_sha256s: array(HEX32, { by: "" }), ...LOT_BODY },
  "evaluation.started": { lots: array(shape(LOT_BODY), { by: "lot stage" }), seats: array(NAME, { by: "" }) },
  "evaluation.sealed": { reason: TEXT, seats: array(NAME, { by: "", least: 1 }) },
  "evaluation.resumed": { seats: array(NAME, { by: "" }) },
  "time.asked": { round: COUNT, seat: NAME },
  "evaluation.extended": { asking: COUNT, members: COUNT, round: COUNT },
  "member.replaced": { by: NAME, reason: TEXT, seat: NAME },
  "bid.examined": {
    outcome: OUTCOME, preference: PREFERENCE, reason: nullable(TEXT), rule: NAME, step: STEP, ...BID_BODY,
  },
  "bid.voted": {
    bid: BID, grants: BOOL, outcome: OUTCOME, reason: nullable(TEXT), seat: NAME, step: STEP, ...LOT_BODY,
  },
  "explanation.asked": { bid: BID, due_at: MS, triggers: array(NAME), ...LOT_BODY },
  "explanation.given": { bid: BID, text: TEXT, ...LOT_BODY },
  "sheet.signed": { seat: NAME, second_factor: BOOL, sheet_commit: HEX32, version: SEQ, ...LOT_BODY },
  "sheet.held": { echo: HEX32, seat: NAME, version: SEQ, ...LOT_BODY },
  "sheets.outdated": { bids: array(BID, { by: "" }), sheets: array(shape({ seat: NAME, version: SEQ })), ...LOT_BODY },
  "sheet.handed_in": { reason: nullable(TEXT), seat: NAME, sheet_commit: HEX32, version: SEQ, ...LOT_BODY },
  "renewal.asked": { reason: TEXT, seat: NAME, version: SEQ, ...LOT_BODY },
  "sheet.voided": { reason: TEXT, seat: NAME, version: SEQ, ...LOT_BODY },
  "masks.committed": { bids: array(BID, { by: "" }), commit: HEX32, ...LOT_BODY },
  "masks.revealed": {
    masks: array(shape({ bid: BID, mask: NAME }), { by: "bid" }), named: array(BID, { by: "" }), seed: HEX32, ...LOT_BODY,
  },
  "scores.opened": { sheets: array(HEX32, { by: "" }), ...LOT_BODY },
  "recheck.explained": { bid: BID, criterion: NAME, reason: TEXT, seat: NAME, ...LOT_BODY },
  "report.drafted": { number: SEQ, report_sha256: HEX32 },
  "report.signed": { dissent: nullable(TEXT), report_sha256: HEX32, seat: NAME, second_factor: BOOL },
  "evaluation.reported": { report_sha256: HEX32 }, "procedure.amended": { notice_sha256: HEX32, ...SPEC },
  "failure.published": { notice_sha256: HEX32, ...LOT_BODY },
  "contract.signed": { bid: BID, bidder: NAME, contract_sha256: HEX32, price: INT, ...LOT_BODY },
  "contract.published": { contract_sha256: HEX32, notice_sha256: HEX32, ...LOT_BODY },
  "notice.publication": {
    channel: choice("atom", "ocds", "page"), entry_h: HEX32, number: SEQ, sha256: HEX32, url: TEXT,
  },
  "opendata.published": { manifest_sha256: HEX32, period: NAME },
  "statistics.published": { bulletin_sha256: HEX32, month: NAME },
  "contract.filed": { contract_sha256: HEX32, filing: TEXT, ...LOT_BODY },
  "award.determined": { bid: BID, bidder: NAME, price: INT, ranked_h: HEX32, ...LOT_BODY },
  "result.published": { notice_sha256: HEX32, ...LOT_BODY },
  "availability.state": { from: MS, ms: COUNT, ok: BOOL, reason: nullable(TEXT), vantage: NAME },
  "clock.state": {
    dispersion_us: COUNT, host: NAME, leap: NAME, offset_us: INT,
    sources: array(shape({ name: NAME, offset_us: INT, reach: COUNT }), { by: "name" }),
    stratum: COUNT, synchronised: BOOL,
  },
  "clock.hold": { host: NAME, reason: NAME }, "clock.released": { host: NAME, size: COUNT },
  "clock.jumped": { from: MS, to: MS },
  "tst.anchored": { gen_time: MS, root: HEX32, size: COUNT, token_sha256: HEX32, tsa: NAME },
  "witness.missed": { since: MS, witness: NAME },
  "log.continued": { old_checkpoint: NAME, old_origin: NAME, reason: TEXT },
  "log.delayed": { from: MS, to: MS }, "log.pad": {}, "config.changed": { what: TEXT },
  "release.installed": { what: TEXT }, "admin.read": { what: TEXT },
  "data.erased": { commitment: HEX32, ground: TEXT },
};
const RECEIVED = {
  ...BID_BODY, envelope_sha256: HEX32, queue_ms: COUNT, received_at: MS, seq: SEQ, sig_sha256: HEX32,
  via: choice("platform", "intake"),
};
const WITHDRAWN = { ...BID_BODY, received_at: MS, seq: SEQ, sig_sha256: HEX32, withdrawal_sha256: HEX32 };
const VIA = choice("platform", "supervisor", "custodian");
const WALKED = { index: COUNT, stratum: STRATUM_ID };
const DRAWS = {
  policy_fixed: { policy_sha256: HEX32 }, specified: { spec_sha256: HEX32 },
  escrowed: { escrow_sha256: HEX32, use: KEY_USE },
  committed: { contribution_sha256: HEX32, party: PARTY_ID, via: VIA },
  share_checked: { check_sha256: HEX32, custodian: INDEX },
  adjudicated: { adjudication_sha256: HEX32, custodian: INDEX },
  waived: { waiver_sha256: HEX32 },
  sealed: {
    contributions: array(shape({ contribution_sha256: HEX32, party: PARTY_ID }), { by: "party" }),
    left_out: array(shape({ party: PARTY_ID, reason: choice("absent", "malformed", "dealt_bad") }), { by: "party" }),
    spec_sha256: HEX32,
  },
  revealed: { party: PARTY_ID, reveal_sha256: HEX32, via: VIA },
  recovered: { custodian: INDEX, party: PARTY_ID, recovery_sha256: HEX32, via: VIA },
  seeded: {
    beacon: nullable(matching(/^([0-9a-f]{2})+$/)), final_sha256: HEX32, seed: HEX32,
    void: array(PARTY_ID, { by: "" }),
  },
  called: WALKED,
  disposed: {
    reason_commit: nullable(HEX32),
    state: choice("EXCLUDED", "LIMIT", "RECUSED", "REFUSED", "REPLACED", "SELECTED", "UNREACHABLE"),
    ...WALKED,
  },
  contested: { statement_commit: HEX32, ...WALKED }, contest_decided: { upheld: BOOL, ...WALKED },
  result: { result_sha256: HEX32 }, key_ordered: { order_sha256: HEX32 }, cancelled: { cancel_sha256: HEX32 },
  disclosed: { procedure: NAME, salt: HEX32 },
};
const REGISTER_ACTS = ["admitted", "changed", "removed", "resumed", "suspended"];
const KEPT = shape({ expert: NAME, sealed_sha256: HEX32 });
const OTHERS = {
  "expert.identities_kept": { kept: array(KEPT, { by: "expert" }) },
  "pool.snapshot": { key_commit: HEX32, register_size: COUNT, root: HEX32, seq: SEQ, size: COUNT },
  "committee.planned": { plan_sha256: HEX32 },
  "committee.drawing": { draw: DRAW_ID, request_sha256: HEX32 },
  "committee.appointed": { holder_commit: HEX32, seat: NAME },
  "committee.formed": { attempt: SEQ, draw: DRAW_ID, seats: array(anObject), state: NAME },
  "seat.declared": { declaration: TEXT, seat: NAME },
  "seat.left": { reason_commit: nullable(HEX32), seat: NAME, state: NAME },
  "panel.disclosed": { members: array(anObject) },
  "pool.recommended": { number: NAME },
  "pool.withdrawn": { number: NAME },
  "pool.amended": { commit: HEX32, number: NAME },
  "pool.refused": { number: NAME, reason_commit: HEX32, rule: NAME },
  "pool.qualified": { change_sha256: HEX32, items: array(shape({ number: NAME, until: MS }), { by: "number" }) },
  "pool.ordered": { act: choice("removed", "resumed", "suspended"), change_sha256: HEX32, number: NAME, reason_commit: HEX32 },
  "pool.renewed": { number: NAME, until: MS },
  "pool.trained": { number: NAME, trained_at: MS },
  "pool.lapsed": { numbers: array(NAME), rule: NAME },
  "specialty.published": { tree_sha256: HEX32, version: SEQ },
  "appraisal.given": { late: BOOL, marks: NAME, remark: TEXT, seat: NAME },
  "appraisal.answered": { answer: TEXT, rating: SEQ, seat: NAME },
};
const ofDraws = Object.entries(DRAWS).map(([name, fields]) => [
  `draw.${name}`, { attempt: SEQ, draw: DRAW_ID, ...fields },
]);
const ofRegister = REGISTER_ACTS.map((act) => [`expert.${act}`, { change_sha256: HEX32 }]);
export const BODY_RULES = Object.fromEntries(
  [...Object.entries(BODIES), ...Object.entries(OTHERS), ...ofDraws, ...ofRegister].map(([kind, fields]) => [
    kind, shape(fields),
  ]),
);
BODY_RULES["draw.policy_fixed"] = shape({ attempt: SEQ, draw: DRAW_ID, ...DRAWS.policy_fixed }, { procedure_commit: HEX32 });
const POOL_FILE = shape({ commit: HEX32, number: NAME, regime: NAME, state: NAME, via: NAME });
BODY_RULES["pool.applied"] = shape({ files: array(POOL_FILE) }, { batch: NAME });
BODY_RULES["pool.disciplined"] = shape(
  { measure: NAME, number: NAME, reason_commit: HEX32, rule: NAME }, { amount: COUNT, until: MS },
);
BODY_RULES["key.registered"] = shape(KEY, { enrol_sha256: HEX32 });
BODY_RULES["key.revoked"] = shape({ kid: HEX32, reason: TEXT }, { revoke_sha256: HEX32 });
BODY_RULES["bids.ranked"] = shape(RANKING, {
  members: nullable(SEQ), formula: shape({ id: NAME, version: SEQ }), workings: shape({}, WORKINGS),
});
const UNITS = { deviations: array(shape({ id: NAME, units: DECIMAL }), { by: "id" }) };
for (const kind of ["bid.examined", "bid.voted"]) BODY_RULES[kind] = shape(BODIES[kind] ?? OTHERS[kind], UNITS);
BODY_RULES["seat.signed_in"] = shape(
  { holder_commit: nullable(HEX32), seat: NAME, second_factor: BOOL }, { promise_sha256: HEX32 },
);
BODY_RULES["sheet.signed"] = shape(BODIES["sheet.signed"] ?? OTHERS["sheet.signed"], { bids: array(BID, { by: "" }) });
BODY_RULES["bid.received"] = shape(RECEIVED, { intake_receipt_sha256: HEX32 });
BODY_RULES["tender.closed"] = shape(BODIES["tender.closed"], { intake_list_sha256: HEX32 });
BODY_RULES["bid.withdrawn"] = shape(WITHDRAWN, { queue_ms: COUNT });

const INDICATORS = [
  "admin_lawsuits", "admin_reviews", "appeals_and_reports", "fee_waived_amount", "proactive_docs",
  "proactive_docs_gazette", "proactive_docs_web", "replies_granted", "replies_other", "replies_partly_granted",
  "replies_refused", "replies_total", "requests_by_letter", "requests_in_person", "requests_online", "requests_received",
];
const TABLE = shape(Object.fromEntries(INDICATORS.map((name) => [name, COUNT])));
const CHANNEL = choice("in_person", "letter", "online");
Object.assign(BODY_RULES, {
  "disclosure.asked": shape({ channel: CHANNEL, commit: HEX32, number: NAME }),
  "disclosure.received": shape({ number: NAME, received_on: NAME }, { channel: CHANNEL, commit: HEX32 }),
  "disclosure.extended": shape({ number: NAME, reason: TEXT }),
  "disclosure.replied": shape({
    fee_waived: COUNT, ground: NAME, number: NAME, outcome: choice("granted", "other", "partly_granted", "refused"),
    reason: TEXT,
  }),
  "disclosure.contested": shape({
    noted_on: NAME, number: nullable(NAME), route: choice("appeal", "lawsuit", "review"),
  }),
  "gazette.printed": shape({ document: HEX32, issue: NAME, printed_on: NAME }),
  "annual.declared": shape({ cumulative: TABLE, of_year: TABLE, reason: TEXT, source: NAME, year: SEQ }),
});

// Fields that name a document, with the type it must have; of optional ones, where they are there.
export const NAMED_DOCUMENTS = {
  "policy.fixed": { policy_sha256: "sb1.policy", schedule_sha256: "mb.schedule" },
  "tender.published": { notice_sha256: "mb.notice", schedule_sha256: "mb.schedule" },
  "tender.changed": { notice_sha256: "mb.notice", schedule_sha256: "mb.schedule" },
  "procedure.cancelled": { notice_sha256: "mb.notice" },
  "result.published": { notice_sha256: "mb.notice" },
  "failure.published": { notice_sha256: "mb.notice" },
  "procedure.amended": { notice_sha256: "mb.notice" },
  "contract.signed": { contract_sha256: "mb.contract" },
  "contract.published": { contract_sha256: "mb.contract", notice_sha256: "mb.notice" },
  "contract.filed": { contract_sha256: "mb.contract" },
  "custodian.challenged": { custodian_key_sha256: "sb1.custodian-key|ed1.custodian-key" },
  "custodian.proved": { custodian_key_sha256: "sb1.custodian-key|ed1.custodian-key" },
  "custodian.key_destroyed": { destroyed_sha256: "sb1.key-destroyed" },
  "bid.received": { envelope_sha256: "sb1.envelope", intake_receipt_sha256: "sb1.intake-receipt" },
  "bid.withdrawn": { withdrawal_sha256: "sb1.withdrawal" },
  "closing.confirmed": { doc_sha256: "mb.closing-confirmation" },
  "tender.closed": { intake_list_sha256: "sb1.intake-list" },
  "open.ordered": { order_sha256: "sb1.open-order" },
  "objection.decided": { decision_sha256: "sb1.objection-decision" },
  "share.checked": { check_sha256: "sb1.share-check" },
  "share.adjudicated": { adjudication_sha256: "sb1.adjudication" },
  "share.released": { release_sha256: "sb1.release" },
  "factor.closed": { factor_list_sha256: "sb1.factor-list" },
  "bids.ranked": { edition_sha256: "mb.edition" },
  "draw.policy_fixed": { policy_sha256: "ed1.policy" },
  "draw.specified": { spec_sha256: "ed1.spec" },
  "draw.escrowed": { escrow_sha256: "ed1.escrow" },
  "draw.committed": { contribution_sha256: "ed1.contribution" },
  "draw.share_checked": { check_sha256: "ed1.share-check" },
  "draw.adjudicated": { adjudication_sha256: "ed1.adjudication" },
  "draw.waived": { waiver_sha256: "ed1.waiver" },
  "draw.revealed": { reveal_sha256: "ed1.reveal" },
  "draw.recovered": { recovery_sha256: "ed1.recovery" },
  "draw.seeded": { final_sha256: "ed1.final" },
  "draw.result": { result_sha256: "ed1.result" },
  "draw.key_ordered": { order_sha256: "ed1.key-order" },
  "draw.cancelled": { cancel_sha256: "ed1.cancel" },
  ...Object.fromEntries(REGISTER_ACTS.map((act) => [`expert.${act}`, { change_sha256: "ed1.register-change" }])),
};
// Secret until, or for ever outside, the audit tier; looked up there and never required of another tier.
export const CONFIDENTIAL_DOCUMENTS = { "custodian.key_disclosed": { disclosure_sha256: "sb1.key-disclosure" } };
// `opening.completed` names the transcripts of all tiers in one sorted array.
export const TRANSCRIPT_FIELD = "transcript_sha256s";

// Whether a record is of a practice tender: nothing comes of it, and bundles hold no document of it.
export function isPractice(procedure) {
  return procedure !== null && procedure.startsWith("PRACTICE-");
}
