// Field tables and signers of notices, contracts, score sheets, reports and editions (P4.4).
import {
  BID, BOOL, COUNT, DECIMAL, HEX32, INT, MS, NAME, ORG, SEQ, STAGE, TEXT, anObject, array, choice, either,
  matching, nullable, shape,
} from "./fields.js";

const PAPER_LOT = { lot: NAME, stage: STAGE, tender: NAME };
const PARTY = shape({ code: ORG, name_en: TEXT, name_zh: TEXT });
const ITEM = shape({ code: TEXT, name_en: TEXT, name_zh: TEXT, quantity: DECIMAL, unit: TEXT });
const TENDER_DOCUMENT = shape({ media: TEXT, name: TEXT, sha256: HEX32, size: COUNT });
const BAND = shape({ from: DECIMAL, points: DECIMAL, text_en: TEXT, text_zh: TEXT, to: nullable(DECIMAL) });
const CRITERION = shape({
  bands: array(BAND), id: NAME, kind: choice("price", "objective", "subjective"), max: DECIMAL, step: DECIMAL,
  text_en: TEXT, text_zh: TEXT, title_en: TEXT, title_zh: TEXT,
});
const SHEET_BID = matching(/^([a-z0-9-]{1,40}|[A-Z]{1,3})$/); // of a masked bidder the letter (ADR 0072)
const SCORED = shape({ comment: nullable(TEXT), criterion: NAME, points: DECIMAL });
const TRIM = shape({ highest: COUNT, lowest: COUNT, quotes: COUNT });
const FACTOR = shape({ id: NAME, title_en: TEXT, title_zh: TEXT, unit: choice("amount", "percent"), value: DECIMAL });
const FORMULA = shape({}, {
  above: DECIMAL, band: DECIMAL, below: DECIMAL, elimination: DECIMAL, floor: DECIMAL,
  ceiling_reduction: array(DECIMAL), ceiling_weight: array(DECIMAL), reduction: array(DECIMAL),
  benchmarks: array(NAME), technical: array(NAME), ties: array(NAME),
  factors: array(FACTOR), instruments: BOOL, trim: array(TRIM),
});
const NOTICE_LOT = shape({
  ceiling: nullable(COUNT), currency: matching(/^[A-Z]{3}$/), items: array(ITEM), lot: NAME, method: NAME,
  policy_sha256: nullable(HEX32), schedule_sha256: nullable(HEX32), stage: STAGE, tie_rule: NAME, title_en: TEXT,
  title_zh: TEXT,
}, {
  abnormal: shape({ ceiling: DECIMAL, mean: DECIMAL, second_lowest: DECIMAL }), budget: nullable(COUNT),
  category: choice("goods", "services", "works"), criteria: nullable(array(CRITERION, { least: 1 })), formula: FORMULA,
  masked: BOOL, preference: nullable(shape({ consortium: DECIMAL, small_micro: DECIMAL }, { domestic: DECIMAL })),
});
const AWARD = shape({ bid: BID, bidder: ORG, price: INT }, {
  evaluated_price: INT, score: nullable(DECIMAL), sme: nullable(NAME), winner: PARTY,
});
const CONTRACT_LOT = shape({
  contract_sha256: HEX32, currency: matching(/^[A-Z]{3}$/), lot: NAME, price: INT, signed_at: MS, stage: STAGE,
  supplier: PARTY,
});
const PARAMETER = shape({ key: NAME, rule: array(NAME), source: TEXT, unit: TEXT, value: either(INT, BOOL, TEXT) });
const RESULT_LOT = shape({
  award: nullable(AWARD), lot: NAME, ranked_h: nullable(HEX32), reason: nullable(NAME), stage: STAGE,
});
export const PAPER_TABLES = {
  "mb.notice": [{
    agency: PARTY, buyer: PARTY, changes: array(shape({ field: TEXT, new: TEXT, old: TEXT })), edition_sha256: HEX32,
    kind: choice("tender", "correction", "result", "failed", "cancellation", "contract"),
    lots: array(either(NOTICE_LOT, RESULT_LOT, CONTRACT_LOT), { by: "lot stage" }),
    number: SEQ, procedure_kind: NAME, published_at: MS, regime: NAME, supersedes: nullable(HEX32), supervisor: TEXT,
    tender: NAME, text_en: TEXT, text_zh: TEXT, title_en: TEXT, title_zh: TEXT,
  }, ["agency"]],
  "mb.contract": [{
    agency: PARTY, award_h: HEX32, bid: BID, buyer: PARTY, created: MS, currency: matching(/^[A-Z]{3}$/),
    number: TEXT, price: INT, sign_before: MS, supplier: PARTY, terms_en: TEXT, terms_zh: TEXT, title_en: TEXT,
    title_zh: TEXT, ...PAPER_LOT,
  }, ["agency", "bidder"]],
  "mb.score-sheet": [{
    items: array(shape({ bid: SHEET_BID, scores: array(SCORED) }), { by: "bid" }),
    reason: nullable(TEXT), salt: HEX32, seat: NAME, version: SEQ, ...PAPER_LOT,
  }, []],
  "mb.evaluation-report": [{
    drafted_at: MS, edition_sha256: HEX32, lots: array(anObject, { by: "lot stage" }), number: SEQ,
    replaced: array(shape({ by: NAME, reason: TEXT, seat: NAME })),
    seats: array(NAME, { by: "" }), tender: NAME,
  }, []],
  "mb.edition": [{
    id: NAME, jurisdiction: NAME,
    parameters: array(PARAMETER, { by: "key" }),
  }, []],
};
export const PAPER_OPTIONAL = {
  "mb.notice": {
    bid_validity_days: nullable(COUNT), documents: array(TENDER_DOCUMENT, { by: "name" }), experts: array(TEXT),
    questions_until: nullable(MS), supply_ends_at: nullable(MS),
  },
};
