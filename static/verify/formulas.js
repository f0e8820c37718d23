// What each method compares bids by, recomputed for RK-01 from notice, edition and record (B10.5, MET-01 to MET-07).
import { alike, encode, hex, tupleHash, unhex } from "./bytes.js";
import { benchmarkOf, choiceOf, isDrawn, pointsOf } from "./benchmark.js";
import {
  ZERO, digits, fraction, halfUp, minus, order, plus, roundUp, share, sum, textOf, times, whole,
} from "./fractions.js";
import { deviationsFound, evaluatedPrice, percentsOf, scores } from "./scoring.js";

const FORMULA_VERSION = 1;
const FORMULA_OF = {
  lowest_evaluated_price: "MET-01", comprehensive_scoring: "MET-02", consultation_scoring: "MET-03",
  lowest_final_quote: "MET-04", lowest_price_evaluated_tl: "MET-05", comprehensive_evaluation_tl: "MET-06",
  price_first: "MET-07", quality_first: "MET-07",
};
const OLDER = ["MET-01", "MET-02"]; // records of these may name no formula: version 1
// What the notice must say of the formula of a method, beyond what the shape of notices asks.
const FORMULA_FIELDS = {
  "MET-03": ["technical"], "MET-05": ["factors"], "MET-07": ["elimination"],
  "MET-06": [
    "above", "band", "below", "benchmarks", "ceiling_reduction", "ceiling_weight", "floor", "reduction", "technical",
    "ties", "trim",
  ],
};

// Whether the formula that the record names is known here; one of another method is a fault.
export function checkFormula(check, { body, place }, row) {
  const wanted = Object.hasOwn(FORMULA_OF, row.method) ? FORMULA_OF[row.method] : null, named = body.formula ?? null;
  if (named === null && OLDER.includes(wanted)) return true;
  if (wanted !== null && !check.require(place, named?.id === wanted, "differs", { what: "formula" })) return false;
  if (wanted === null || named.version !== FORMULA_VERSION) {
    check.gap(place, "method", { method: row.method });
    return false;
  }
  const told = row.formula ?? {}, fields = FORMULA_FIELDS[wanted] ?? [];
  const known = fields.every((name) => Object.hasOwn(told, name));
  const steps = (told.ties ?? []).every((step) => ["price", "technical"].includes(step));
  return check.require(place, known && steps, "formula_alone");
}

const integerOf = (edition, key) => {
  const value = edition.value.parameters.find((row) => row.key === key)?.value;
  return Number.isInteger(value) ? value : -1;
};
const fullOf = (row) => sum((row.criteria ?? []).filter(({ kind }) => kind === "price").map(({ max }) => fraction(max)));

// The quotes less what was granted, of the conforming bids.
function deducted({ items, granted, row }) {
  return new Map(items.map(({ bid, price }) => [bid, evaluatedPrice(BigInt(price), granted(bid), row)]));
}

// The members' points for the technical criteria, all together.
function technical({ scores: told }, { formula }) {
  return sum((told ?? []).filter(({ criterion }) => formula.technical.includes(criterion)).map((line) => fraction(line.sum)));
}

const byPrices = (prices) =>
  ({ prices, orders: new Map([...prices].map(([bid, price]) => [bid, [whole(price)]])), totals: new Map(), points: new Map() });

// What the conforming bids are compared by: the smaller `orders` come first, `places` are admitted or awarded.
export async function recompute(ranked) {
  const { method } = ranked.row;
  if (method === "comprehensive_evaluation_tl") return byBenchmark(ranked);
  let found = null;
  if (["lowest_evaluated_price", "lowest_final_quote", "price_first"].includes(method)) found = byPrices(deducted(ranked));
  else if (method === "lowest_price_evaluated_tl") found = byPrices(withDeviations(ranked));
  else found = byQuotient(ranked);
  if (!["price_first", "quality_first"].includes(method)) return { places: 1, workings: null, ...found };
  const places = admitted(ranked);
  return { ...found, places, workings: { places } };
}

// Every quantified deviation that the record names is added to the price (MET-05).
function withDeviations(ranked) {
  const { items, row, check, logged } = ranked, base = deducted(ranked), prices = new Map();
  const found = deviationsFound(ranked.lot, logged.n);
  for (const { bid, price, deviations } of items) {
    const same = !found.has(bid) || alike(deviations ?? [], found.get(bid));
    check.require(logged.place, same, "deviation_other", { bid });
    let total = whole(base.get(bid));
    for (const { id, units } of deviations ?? []) {
      const factor = row.formula.factors.find((each) => each.id === id);
      const known = factor !== undefined && order(fraction(units), ZERO) >= 0;
      check.require(logged.place, known, "deviation_unknown", { bid });
      if (factor === undefined) continue;
      const cost = factor.unit === "amount" ? fraction(factor.value) : times(share(factor.value), whole(price));
      total = plus(total, times(fraction(units), cost));
    }
    prices.set(bid, halfUp(total));
  }
  return prices;
}

// Points by the lowest price over the own one: MET-02, MET-03; none for the price where quality comes first.
function byQuotient(ranked) {
  const { items, row, check, logged, edition } = ranked, prices = deducted(ranked), full = fullOf(row);
  const lowest = [...prices.values()].reduce((least, price) => (price < least ? price : least));
  const found = { prices, orders: new Map(), totals: new Map(), points: new Map() };
  if (!check.require(logged.place, lowest > 0n, "price_not_positive")) return found;
  const priced = new Map([...prices].map(([bid, price]) => [bid, times(full, [lowest, price])]));
  found.totals = scores(ranked, priced, integerOf(edition, "evaluation.score_decimals"));
  for (const item of items) {
    const { bid } = item, compared = [minus(ZERO, fraction(found.totals.get(bid) ?? "0"))];
    if (row.method !== "quality_first") compared.push(whole(prices.get(bid)));
    if (row.method === "consultation_scoring") compared.push(minus(ZERO, technical(item, row)));
    found.orders.set(bid, compared);
  }
  return found;
}

// MET-06: the draw, the benchmark, the points of the price with the bonus of 46号 9, and the ties.
async function byBenchmark(ranked) {
  const { items, row, check, logged, edition, granted } = ranked, { formula } = row;
  const seed = await seedOf(ranked, logged.body.workings?.seed ?? ""), chosen = await choiceOf(formula, seed);
  const lowest = chosen.benchmark === "lowest";
  const prices = lowest ? deducted(ranked) : new Map(items.map(({ bid, price }) => [bid, BigInt(price)]));
  const found = { prices, orders: new Map(), totals: new Map(), points: new Map(), places: 1, workings: null };
  const base = benchmarkOf([...prices.values()], chosen, formula, row.ceiling);
  const decimals = integerOf(edition, "benchmark.score_decimals");
  const known = base !== null && order(base, ZERO) > 0 && decimals >= 0;
  if (!check.require(logged.place, known, "benchmark_alone")) return found;
  const scale = 10n ** BigInt(decimals), priced = new Map();
  for (const [bid, price] of prices) {
    const bonus = lowest ? ZERO : times(percentsOf(granted(bid), row), [1n, 100n]);
    const exact = times(pointsOf(fullOf(row), price, base, formula), plus(whole(1), bonus));
    const units = halfUp(times(exact, whole(scale)));
    found.points.set(bid, digits(units, decimals));
    priced.set(bid, [units, scale]);
  }
  found.totals = scores(ranked, priced, decimals);
  for (const item of items) {
    const { bid } = item, steps = { price: whole(prices.get(bid)), technical: minus(ZERO, technical(item, row)) };
    const total = minus(ZERO, fraction(found.totals.get(bid) ?? "0"));
    found.orders.set(bid, [total, ...formula.ties.map((step) => steps[step])]);
  }
  found.workings = { ...chosen, price: textOf(base), seed: isDrawn(formula) ? hex(seed) : null };
  return found;
}

// The seed of the draw: recomputed where the tier shows the price identities, else the one that is told.
async function seedOf({ identities, row, check, logged }, shown) {
  if (!isDrawn(row.formula)) return new Uint8Array();
  if (identities !== null) return seedOver("mingbiao/rank/coefficient", identities);
  check.note(logged.place, "tie_hidden");
  return unhex(shown);
}

// The tuple hash over the price identities of the opened bids, in order of bid id.
export const seedOver = (label, identities) => tupleHash(label, ...identities.map(encode));

// How many a framework agreement admits: all but the share that is left out, rounded up (MET-07).
function admitted({ items, row, edition }) {
  const suppliers = items.length, out = Number(roundUp(times(whole(suppliers), share(row.formula.elimination))));
  return suppliers - Math.min(suppliers, Math.max(out, integerOf(edition, "framework.eliminated_min")));
}

// Below zero if the first order comes before the second.
export function compareOrders(left, right) {
  for (let at = 0; at < left.length; at += 1) {
    const found = order(left[at], right[at]);
    if (found !== 0) return found;
  }
  return 0;
}

const sorted = (object) => Object.entries(object ?? {}).sort(([left], [right]) => (left < right ? -1 : 1));
export const sameWorkings = (told, wanted) => (told ?? null) === null
  ? wanted === null : wanted !== null && alike(sorted(told), sorted(wanted));
