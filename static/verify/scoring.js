// What examination, sheets and report say of a lot, recomputed for RK-01: B10.4, EXP-17, EXP-20, EXP-21.
import { alike } from "./bytes.js";
import { withBids } from "./masks.js";
import { ZERO, atMost, digits, equal, fraction, halfUp, minus, plus, sum as total, times, whole } from "./fractions.js";
import { SHEET, checkHandedIn, checkVoided, seatsOf, signedBefore } from "./sheets.js";

const EXCLUDED_BY = [["qualification", "not_qualified"], ["conformity", "not_conforming"], ["price", "abnormally_low"]];

// Per bid the deviations of the newest finding of conformity before `before` (MET-05).
export const deviationsFound = (lot, before) =>
  new Map(lot.all("bid.examined").filter(({ n, body }) => n < before && body.step === "conformity").map(({ body }) => [
    body.bid, body.deviations ?? [],
  ]));

// Per bid its exclusion and the preference granted, by the newest finding of each step before `before`.
export function examined(lot, before) {
  const newest = new Map(), found = new Map();
  for (const { n, body } of lot.all("bid.examined")) if (n < before) newest.set(`${body.step} ${body.bid}`, body);
  for (const bid of new Set([...newest.values()].map((body) => body.bid))) {
    const looked = EXCLUDED_BY.map(([step, reason]) => [newest.get(`${step} ${bid}`), reason]);
    const steps = looked.filter(([body]) => body !== undefined);
    const reason = steps.find(([body]) => body.outcome === "invalid")?.[1] ?? null;
    found.set(bid, { reason, preference: steps.find(([body]) => body.preference !== null)?.[0].preference ?? null });
  }
  return found;
}

// The quote less the deductions of the notice, each of the quote itself, half up to the minor unit.
export const evaluatedPrice = (price, granted, row) =>
  halfUp(times(whole(price), times(minus(whole(100), percentsOf(granted, row)), [1n, 100n])));

// The per cent of all claims that were granted, such as of `small_micro+domestic`, together.
export function percentsOf(granted, { preference }) {
  if (granted === null || (preference ?? null) === null) return ZERO;
  return total(granted.split("+").map((claim) => fraction(Object.hasOwn(preference, claim) ? preference[claim] : "0")));
}

// The total of every bid in `priced` as text, from the points of its price and the sums of the record.
export function scores({ lot, check, logged, row }, priced, decimals) {
  const { body, place } = logged, members = BigInt(body.members ?? 0), criteria = row.criteria ?? [], totals = new Map();
  const known = members > 0n && decimals >= 0 && criteria.length > 0;
  if (!check.require(place, known, "scored_alone")) return totals;
  for (const item of body.items.filter(({ bid }) => priced.has(bid))) {
    const exact = plus(priced.get(item.bid), judged(check, place, item, criteria, members));
    totals.set(item.bid, digits(halfUp(times(exact, whole(10n ** BigInt(decimals)))), decimals));
  }
  checkSheets(lot, check, logged, criteria);
  return totals;
}

function judged(check, place, { bid, scores: told }, criteria, members) {
  const sums = new Map((told ?? []).map(({ criterion, sum }) => [criterion, fraction(sum)]));
  const scored = criteria.filter(({ kind }) => kind !== "price");
  check.require(place, alike([...sums.keys()], scored.map(({ id }) => id)), "other_criteria", { bid });
  return total(scored.map(({ id, max }) => {
    const value = sums.get(id) ?? ZERO;
    const inside = value[0] >= 0n && atMost(value, times(whole(members), fraction(max)));
    check.require(place, inside, "score_range", { bid, criterion: id });
    return [value[0], value[1] * members];
  }));
}

// The opened sheets are those that the members committed to, and their sums are those of the record.
function checkSheets(lot, check, logged, criteria) {
  const opened = lot.all("scores.opened").findLast(({ n }) => n < logged.n), { evidence } = lot;
  if (opened === undefined) return check.fail(logged.place, "scores_closed");
  const signed = signedBefore(lot, opened.n), seats = seatsOf(lot, opened.n);
  const held = [...seats].map((seat) => signed.get(seat)?.body.sheet_commit ?? "").sort();
  checkHandedIn(lot, check, opened);
  checkVoided(lot, check, opened);
  check.require(opened.place, alike(held, [...opened.body.sheets].sort()), "other_sheets");
  check.require(logged.place, logged.body.members === seats.size, "differs", { what: "members" });
  const sheets = opened.body.sheets.map((sha256) => evidence.document(sha256, SHEET)).filter((sheet) => sheet !== null);
  check.require(opened.place, sheets.length === 0 || evidence.holds("audit"), "secrets_shown");
  if (sheets.length < opened.body.sheets.length) {
    if (evidence.holds("audit")) check.fail(opened.place, "no_document", { typ: SHEET, sha256: "" });
    return check.note(logged.place, "sheets_hidden");
  }
  const scored = criteria.filter(({ kind }) => kind !== "price").map(({ id }) => id);
  return checkSums(check, logged, withBids(lot, check, opened, sheets.map(({ value }) => value)), scored);
}

function checkSums(check, { body, place }, sheets, scored) {
  for (const { bid, scores: told } of body.items) {
    for (const { criterion, sum } of told ?? []) {
      const points = sheets.flatMap(({ items }) => items).filter((item) => item.bid === bid)
        .flatMap((item) => item.scores).filter((row) => row.criterion === criterion).map((row) => fraction(row.points));
      const right = points.length === sheets.length && equal(total(points), fraction(sum));
      check.require(place, right && scored.includes(criterion), "sum_other", { bid, criterion });
    }
  }
}

// A committee that the edition wants has begun before, and every member has signed one report (EXP-03, EXP-20).
export function checkCommittee(lot, check, logged, edition) {
  const wanted = edition.value.parameters.filter(({ key }) => key === "committee.required").map(({ value }) => value);
  if (!alike(wanted, [true])) return;
  const seats = seatsOf(lot, logged.n), signed = new Map();
  if (!check.require(logged.place, seats.size > 0, "no_committee")) return;
  for (const { procedure, n, body } of lot.evidence.ofKind("report.signed")) {
    if (procedure !== lot.procedure || n >= logged.n) continue;
    signed.set(body.report_sha256, new Set([...(signed.get(body.report_sha256) ?? []), body.seat]));
  }
  const complete = [...signed.values()].some((by) => [...seats].every((seat) => by.has(seat)));
  check.require(logged.place, complete, "no_report");
}
