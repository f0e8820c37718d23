// Letters of masked bidders, recomputed for RK-01: committed to before any sheet, disclosed with the scores (ADR 0072).
import { alike, encode, hex, tupleHash, unhex } from "./bytes.js";
import { compare } from "./fields.js";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

// The letters of a place from 0 on: A … Z, AA, AB and so on.
function letterOf(place) {
  let number = place, text = LETTERS[number % 26];
  while (number >= 26) {
    number = Math.floor(number / 26) - 1;
    text = LETTERS[number % 26] + text;
  }
  return text;
}

// The letters follow from a seed that was fixed before the first sheet was signed, where the notice masks bidders.
export async function checkMasks(lot, check, ranked, opened, masked) {
  const committed = lot.all("masks.committed"), revealed = lot.all("masks.revealed"), wanted = masked ? 1 : 0;
  if (committed.length !== wanted || revealed.length !== wanted) return check.fail(ranked.place, "differs", { what: "masked" });
  for (const [at, before] of committed.entries()) await checkLetters(lot, check, { before, told: revealed[at], ranked }, opened);
  return null;
}

// Sheets with bids instead of letters, as the record disclosed them; as they are where nobody is masked. A letter that
// stands for no bid or for two, and a bid that has two, are faults: no sum can be trusted then.
export function withBids(lot, check, opened, sheets) {
  const told = lot.last("masks.revealed");
  if (told === null) return sheets;
  const behind = new Map(told.body.masks.map(({ mask, bid }) => [mask, bid])), pairs = told.body.masks.length;
  const single = behind.size === pairs && new Set(behind.values()).size === pairs;
  check.require(told.place, single, "differs", { what: "masks" });
  for (const { items } of sheets) {
    const names = items.map(({ bid }) => bid);
    check.require(opened.place, names.every((name) => behind.has(name)), "differs", { what: "masks" });
    check.require(opened.place, new Set(names).size === names.length, "differs", { what: "masks" });
  }
  const named = (item) => ({ ...item, bid: behind.get(item.bid) ?? null });
  return sheets.map((sheet) => ({ ...sheet, items: sheet.items.map(named) }));
}

async function checkLetters(lot, check, { before, told, ranked }, opened) {
  const early = lot.all("sheet.signed").every(({ n }) => before.n < n);
  const late = lot.all("scores.opened").some(({ n }) => n < told.n) && told.n < ranked.n;
  check.require(told.place, early && late, "differs", { what: "masks" });
  const seed = unhex(told.body.seed), context = [lot.procedure, lot.lot, lot.stage].map(encode);
  const commit = hex(await tupleHash("mingbiao/evaluation/masks", seed, ...context));
  check.require(before.place, before.body.commit === commit, "differs", { what: "commit" });
  check.require(before.place, alike(before.body.bids, opened), "differs", { what: "bids" });
  const tickets = await Promise.all(opened.map(async (bid) =>
    [hex(await tupleHash("mingbiao/evaluation/mask", seed, ...context, encode(bid))), bid]));
  tickets.sort((left, right) => compare(left[0], right[0]) || compare(left[1], right[1]));
  const letters = new Map(tickets.map(([, bid], number) => [bid, letterOf(number)]));
  const shown = told.body.masks.map(({ bid, mask }) => [bid, mask]);
  check.require(told.place, alike(shown, opened.map((bid) => [bid, letters.get(bid)])), "differs", { what: "masks" });
}
