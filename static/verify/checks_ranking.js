// Checks of notices, ranking and award: RK-01 to RK-03. The rules are in the edition that the notice names.
import { alike, encode, hex, sha256, unhex } from "./bytes.js";
import { findTranscript, transcriptItem } from "./ceremony.js";
import { compare } from "./fields.js";
import { checkFormula, compareOrders, recompute, sameWorkings, seedOver } from "./formulas.js";
import { checkMasks } from "./masks.js";
import { checkCommittee, evaluatedPrice, examined } from "./scoring.js";
import { checkEchoes } from "./sheets.js";

const PUBLICATION_MS = 3_600_000;
const NOTICE_KINDS = {
  "tender.published": ["tender"], "tender.changed": ["correction"], "result.published": ["result", "failed"],
  "failure.published": ["failed"], "procedure.cancelled": ["cancellation"], "contract.published": ["contract"],
};

export const parameter = (edition, key) => edition.value.parameters.find((row) => row.key === key)?.value ?? null;

// The row of this lot and stage in a notice.
const lotRow = (lot, notice) =>
  notice?.value.lots.find((row) => row.lot === lot.lot && row.stage === lot.stage) ?? null;

// The newest tender or correction notice before the close, and its row for this lot.
function termsOf(lot) {
  let found = null;
  for (const { kind, n, body } of lot.records) {
    if (!["tender.published", "tender.changed"].includes(kind) || (lot.closed !== null && n >= lot.closed.n)) continue;
    const notice = lot.evidence.document(body.notice_sha256, "mb.notice"), row = lotRow(lot, notice);
    if (row !== null && Object.hasOwn(row, "ceiling")) found = { notice, row };
  }
  return found;
}

// The bids that opened with verdict OK, by bid id.
const openedBids = (lot) => [...lot.all("bid.opened")].sort((left, right) => compare(left.body.bid, right.body.bid));

// RK-01: the ranking, or the failure of the lot, follows from prices, notice, edition and tie rule.
export async function checkRanking(lot, check) {
  if (lot.missing("bids.ranked") && lot.first("lot.failed") === null) check.fail(lot.place, "no_record", { kind: "bids.ranked" });
  const terms = termsOf(lot);
  for (const logged of [...lot.all("bids.ranked"), ...lot.all("lot.failed")]) {
    const edition = terms === null ? null : lot.evidence.document(terms.notice.value.edition_sha256, "mb.edition");
    if (edition === null) check.fail(logged.place, "no_document", { typ: "mb.notice, mb.edition", sha256: "" });
    else if (logged.kind === "bids.ranked") await checkRanked(lot, check, logged, { ...terms, edition });
    else checkFailed(lot, check, logged, { ...terms, edition });
  }
}

function priceOf({ body: { price } }) {
  return Number.isSafeInteger(price?.total) ? price.total : 0;
}

// Why a quote makes its bid invalid (EVL-02), null if it does not; one at the ceiling does not.
function reasonOf(logged, row, edition) {
  const price = priceOf(logged);
  if ((logged.body.price?.currency ?? null) !== row.currency) return "other_currency";
  if (price <= 0) return "not_positive";
  const checked = Boolean(parameter(edition, "evaluation.exclude_above_ceiling")) && row.ceiling !== null;
  return checked && price > row.ceiling ? "above_ceiling" : null;
}

// For each opened bid why it is invalid, by its quote or by examination; null for one that conforms.
function reasonsOf(lot, { row, edition }, before) {
  const found = examined(lot, before);
  return new Map(openedBids(lot).map((logged) => [
    logged.body.bid, reasonOf(logged, row, edition) ?? found.get(logged.body.bid)?.reason ?? null,
  ]));
}

// The rule by which an opened lot fails for want of bids, null if it is ranked (OPN-15, EVL-05).
function failureOf(reasons, edition) {
  const least = parameter(edition, "bidders.min"), bounded = Number.isInteger(least);
  const conforming = [...reasons.values()].filter((reason) => reason === null).length;
  if (bounded && parameter(edition, "opening.recount_after_decrypt") && reasons.size < least) return "OPN-15";
  if (bounded && conforming < least) return "EVL-05";
  return conforming > 0 ? null : "EVL-08";
}

async function checkRanked(lot, check, logged, terms) {
  const { notice, row, edition } = terms, { body, place, n } = logged;
  const completed = lot.last("opening.completed");
  check.require(place, completed !== null && completed.n < n, "ranked_early");
  const named = [body.edition_sha256, body.currency, body.method];
  const same = alike(named, [notice.value.edition_sha256, row.currency, row.method]);
  check.require(place, same, "differs", { what: "edition_sha256, currency, method" });
  if (row.tie_rule !== "price_identity_lottery") return check.gap(place, "method", { method: row.method });
  if (!checkFormula(check, logged, row)) return null;
  const facts = openedBids(lot).map((each) => [each.body.bid, each.body.bidder, priceOf(each)]);
  check.require(place, alike(facts, body.items.map(({ bid, bidder, price }) => [bid, bidder, price])), "other_prices");
  const reasons = reasonsOf(lot, terms, n), fails = failureOf(reasons, edition);
  check.require(place, fails === null, "lot_fails", { rule: fails });
  checkCommittee(lot, check, logged, edition);
  const masked = row.masked === true && (row.criteria ?? null) !== null;
  await checkMasks(lot, check, logged, facts.map(([bid]) => bid), masked);
  return checkRanks(lot, check, logged, terms, reasons);
}

const valuesOf = (places, bid) => places.get(bid) ?? null;

async function checkRanks(lot, check, logged, { row, edition }, reasons) {
  const { body, place, n } = logged, found = examined(lot, n), identities = priceIdentities(lot);
  const granted = (bid) => found.get(bid)?.preference ?? null;
  const items = body.items.filter(({ bid }) => valuesOf(reasons, bid) === null);
  if (items.length === 0) return;
  const told = await recompute({ lot, check, logged, row, edition, items, granted, identities });
  if (told.totals.size > 0) await checkEchoes(lot, check, logged);
  const places = await placesOf(lot, check, logged, told);
  if (places === null) return;
  check.require(place, sameWorkings(body.workings, told.workings), "differs", { what: "workings" });
  for (const item of body.items) {
    const { bid } = item, price = told.prices.get(bid) ?? evaluatedPrice(BigInt(item.price), granted(bid), row);
    const wanted = {
      evaluated_price: Number(price), rank: valuesOf(places, bid), reason: valuesOf(reasons, bid),
      preference: granted(bid), score: valuesOf(told.totals, bid), price_points: valuesOf(told.points, bid),
    };
    const other = Object.keys(wanted).filter((name) => (item[name] ?? null) !== wanted[name]);
    const shown = (values) => other.map((name) => `${name} ${values[name] ?? null}`).join(", ");
    check.require(place, other.length === 0, "rank_other", { bid, found: shown(item), wanted: shown(wanted) });
  }
}

// The rank of every conforming bid, with the lottery where a place is left for some of the equal only.
async function placesOf(lot, check, logged, { orders, places: left }) {
  const bids = [...orders.keys()], order = (one, two) => compareOrders(orders.get(one), orders.get(two));
  const last = [...bids].sort(order)[left - 1], tied = bids.filter((bid) => last !== undefined && order(bid, last) === 0);
  const places = new Map(bids.map((bid) => [bid, 1 + bids.filter((other) => order(other, bid) < 0).length]));
  const before = last === undefined ? 0 : places.get(last) - 1;
  if (before + tied.length <= left) {
    check.require(logged.place, logged.body.tie === null, "tie_none");
    return places;
  }
  const drawn = await checkTie(lot, check, logged, tied);
  if (drawn === null) return null;
  drawn.forEach((bid, at) => places.set(bid, before + at + 1));
  return places;
}

// The price identities of the opened bids in order of bid id, null if the tier hides them.
function priceIdentities(lot) {
  const transcript = findTranscript(lot, "bidders") ?? findTranscript(lot, "audit");
  if (transcript === null) return null;
  const rows = openedBids(lot).map(({ body }) => transcriptItem(transcript, body.bid)).filter((row) => row !== null);
  return rows.map((row) => row.identity_price ?? "");
}

// The lottery among equal bids (AWD-10): their order, null if the ranking names none.
async function checkTie(lot, check, { body: { tie }, place }, tied) {
  if (!check.require(place, tie !== null, "tie_missing")) return null;
  check.require(place, alike(tie.bids, tied) && tie.rule === "AWD-10", "tie_other");
  const identities = priceIdentities(lot);
  if (identities === null) check.note(place, "tie_hidden");
  else {
    const seed = hex(await seedOver("mingbiao/rank/tie", identities));
    check.require(place, tie.seed === seed, "recomputed", { what: "seed", found: tie.seed, wanted: seed });
  }
  const tickets = await Promise.all(tied.map(async (bid) => [hex(await sha256(unhex(tie.seed), encode(bid))), bid]));
  return tickets.sort(([left], [right]) => (left < right ? -1 : 1)).map(([, bid]) => bid);
}

function checkFailed(lot, check, { body, place, n }, terms) {
  if (lot.first("opening.completed") === null) {
    const least = parameter(terms.edition, "bidders.min");
    const few = lot.closed !== null && Number.isInteger(least) && lot.closed.body.count < least;
    check.require(place, few, "failed_alone");
    check.require(place, body.reason === "fewer_than_three", "differs", { what: "reason" });
    return;
  }
  const found = failureOf(reasonsOf(lot, terms, n), terms.edition);
  check.require(place, found !== null && found === body.rule, "recomputed", { what: "rule", found: body.rule, wanted: found });
}

// RK-02: the award goes to rank 1 of the ranking; result notice and contract say the same.
export function checkAward(lot, check) {
  if (lot.missing("award.determined") && lot.first("lot.failed") === null) {
    check.fail(lot.place, "no_record", { kind: "award.determined" });
  }
  const ranked = lot.last("bids.ranked"), award = lot.last("award.determined");
  if (award !== null) {
    check.require(award.place, ranked !== null && award.body.ranked_h === ranked.h && ranked.n < award.n, "other_ranking");
    const first = ranked?.body.items.filter(({ rank }) => rank === 1) ?? [];
    check.require(award.place, first.length === 1 && alike(...[first[0], award.body].map(givenOf)), "award_other");
  }
  for (const [logged, notice] of lot.pairs("result.published", "notice_sha256", "mb.notice")) {
    checkResultNotice(lot, check, logged, notice, award);
  }
  for (const [logged, contract] of lot.pairs("contract.signed", "contract_sha256", "mb.contract")) {
    checkContract(lot, check, logged, contract, award);
  }
}
const givenOf = ({ bid, bidder, price }) => [bid ?? null, bidder ?? null, price ?? null];

function checkResultNotice(lot, check, logged, notice, award) {
  const row = lotRow(lot, notice), { kind } = notice.value, { place } = notice;
  if (!check.require(place, row !== null && Object.hasOwn(row, "award"), "no_row")) return;
  if (award === null) {
    check.require(place, lot.first("lot.failed") !== null && row.award === null && kind === "failed", "result_alone");
    return;
  }
  const same = kind === "result" && row.award !== null && alike(givenOf(row.award), givenOf(award.body));
  check.require(place, same && row.ranked_h === award.body.ranked_h, "other_award");
  check.require(logged.place, award.n < logged.n, "before_award");
}

// The contract is between the parties of the award, at its price, signed by both (CON-01, CON-09).
function checkContract(lot, check, logged, contract, award) {
  const { value, place } = contract;
  if (!check.require(logged.place, award !== null, "result_alone")) return;
  check.require(place, value.tender === lot.procedure && value.lot === lot.lot && value.stage === lot.stage, "other_lot");
  const told = [value.bid, value.supplier.code, value.price], given = givenOf(award.body);
  const same = alike(told, given) && alike(told, givenOf(logged.body)) && value.award_h === award.h;
  check.require(place, same, "other_award");
  const signed = ["agency", "bidder"].every((role) => contract.signedBy(role) !== null);
  check.require(place, signed, "not_signed_by", { role: "agency, bidder" });
  check.require(logged.place, award.n < logged.n, "before_award");
  check.require(logged.place, logged.at < value.sign_before, "contract_late");
  for (const [published, notice] of lot.pairs("contract.published", "notice_sha256", "mb.notice")) {
    const row = lotRow(lot, notice), shown = [row?.contract_sha256, row?.price, row?.signed_at];
    const right = alike(shown, [contract.sha256, value.price, logged.at]) && logged.n < published.n;
    check.require(notice.place, right, "other_contract");
  }
}

// RK-03: notices signed by one agency, numbered without gaps, each superseding the one before it.
export function checkNotices(lot, check) {
  const own = lot.evidence.ofType("mb.notice").filter(({ value }) => value.tender === lot.procedure);
  const notices = own.sort((left, right) => left.value.number - right.value.number), agencies = new Set();
  notices.forEach((notice, at) => {
    const { value, place } = notice, before = notices[at - 1] ?? null, signer = notice.signedBy("agency");
    check.require(place, value.number === at + 1, "notice_number", { found: value.number, wanted: at + 1 });
    check.require(place, value.supersedes === (before?.sha256 ?? null), "differs", { what: "supersedes" });
    check.require(place, signer !== null, "not_signed_by", { role: "agency" });
    agencies.add(signer?.name ?? "");
    check.require(place, (value.kind === "tender") === (at === 0), "notice_kind", { kind: value.kind });
    const same = before === null || value.edition_sha256 === before.value.edition_sha256;
    check.require(place, same, "differs", { what: "edition_sha256" });
  });
  const signer = lot.policy?.signedBy("agency") ?? null;
  if (signer !== null && agencies.size > 0) {
    check.require(lot.place, agencies.size === 1 && agencies.has(signer.name), "other_agency");
  }
  let inForce = null;
  for (const logged of lot.records.filter(({ kind }) => Object.hasOwn(NOTICE_KINDS, kind))) {
    if (logged.body.evidence?.length > 0) {
      check.require(logged.place, logged.body.notice_sha256 === inForce, "notice_moved");
      continue;
    }
    if (["tender.published", "tender.changed"].includes(logged.kind)) inForce = logged.body.notice_sha256;
    const published = lot.evidence.document(logged.body.notice_sha256, "mb.notice");
    if (published !== null) checkNamedNotice(lot, check, logged, published);
  }
}

function checkNamedNotice(lot, check, logged, { value, place }) {
  const row = lotRow(lot, { value });
  check.require(logged.place, value.tender === lot.procedure, "other_lot");
  check.require(logged.place, NOTICE_KINDS[logged.kind].includes(value.kind), "notice_kind", { kind: value.kind });
  check.require(logged.place, Math.abs(value.published_at - logged.at) <= PUBLICATION_MS, "published_at");
  check.require(place, row !== null, "no_row");
  if (row === null || !Object.hasOwn(row, "schedule_sha256") || !Object.hasOwn(logged.body, "schedule_sha256")) return;
  check.require(place, row.schedule_sha256 === logged.body.schedule_sha256, "differs", { what: "schedule_sha256" });
  const fixed = lot.all("policy.fixed").some(({ n, body }) => n < logged.n && body.policy_sha256 === row.policy_sha256);
  check.require(place, fixed, "policy_not_fixed");
}
