// Benchmarks of works prices and the draw of their coefficients, recomputed for RK-01 (MET-06; B10.5, BM1 to BM5).
import { encode, hex, sha256 } from "./bytes.js";
import { ZERO, atMost, fraction, minus, order, over, plus, share, sum, times, whole } from "./fractions.js";

const ONE = whole(1), LOWERED = ["mean", "median"];
const COEFFICIENTS = [["reduction", LOWERED], ["ceiling_reduction", ["composite"]], ["ceiling_weight", ["composite"]]];

// Whether the documents leave anything to the draw.
export const isDrawn = (formula) =>
  ["benchmarks", ...COEFFICIENTS.map(([name]) => name)].some((name) => formula[name].length > 1);

// The candidate with the smallest ticket, null of an empty list; a list of one draws nothing.
async function drawn(seed, name, candidates) {
  if (candidates.length <= 1) return candidates[0] ?? null;
  const ticket = async (each) => [hex(await sha256(seed, encode(`${name}=${each}`))), each];
  const tickets = await Promise.all(candidates.map(ticket));
  return tickets.reduce((least, each) => (each[0] < least[0] ? each : least))[1];
}

// The benchmark and the coefficients that hold, null for one that the benchmark has not.
export async function choiceOf(formula, seed) {
  const found = { benchmark: await drawn(seed, "benchmark", formula.benchmarks) };
  for (const [name, usedBy] of COEFFICIENTS) {
    found[name] = usedBy.includes(found.benchmark) ? await drawn(seed, name, formula[name]) : null;
  }
  return found;
}

const mean = (values) => over(sum(values), whole(Math.max(values.length, 1)));

// The mean without the quotes that the last row of the table leaves out whose number is reached.
function trimmedMean(ordered, table) {
  const row = table.findLast(({ quotes }) => quotes <= ordered.length);
  return mean(row === undefined ? ordered : ordered.slice(row.lowest, Math.max(ordered.length - row.highest, 0)));
}

function secondMean(ordered, band) {
  const centre = mean(ordered), width = times(share(band), centre);
  const near = ordered.filter((quote) => {
    const apart = minus(quote, centre);
    return atMost(apart, width) && atMost(minus(ZERO, apart), width);
  });
  return near.length > 0 ? mean(near) : centre;
}

// The benchmark price, exactly; null if the notice names none that is known or lacks what it needs.
export function benchmarkOf(quotes, chosen, formula, ceiling) {
  const ordered = quotes.map(whole).sort(order), { benchmark } = chosen;
  const lowered = minus(ONE, share(chosen.reduction ?? "0"));
  if (benchmark === "mean") return times(trimmedMean(ordered, formula.trim), lowered);
  if (benchmark === "median") {
    const upper = Math.floor(ordered.length / 2), from = ordered.length % 2 === 1 ? upper : upper - 1;
    return times(mean(ordered.slice(from, upper + 1)), lowered);
  }
  if (benchmark === "second_mean") return secondMean(ordered, formula.band);
  if (benchmark === "composite" && ceiling !== null) {
    const weight = share(chosen.ceiling_weight ?? "0");
    const part = times(times(whole(ceiling), minus(ONE, share(chosen.ceiling_reduction ?? "0"))), weight);
    return plus(part, times(trimmedMean(ordered, formula.trim), minus(ONE, weight)));
  }
  return benchmark === "lowest" ? ordered[0] : null;
}

// The points of a price by its distance from the benchmark, exactly; never below the floor.
export function pointsOf(full, price, benchmark, { above, below, floor }) {
  const distance = times(over(minus(whole(price), benchmark), benchmark), whole(100)), far = order(distance, ZERO) > 0;
  const lost = times(far ? distance : minus(ZERO, distance), fraction(far ? above : below));
  const points = minus(full, lost);
  return order(points, fraction(floor)) < 0 ? fraction(floor) : points;
}
