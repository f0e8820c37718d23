// Which sheets were signed, shown to be there and handed in, recomputed for RK-01: EXP-17, EXP-18, EXP-22.
import { hex, tupleHash, unhex } from "./bytes.js";

export const SHEET = "mb.score-sheet";
const nameOf = ({ seat, version }) => `${version} ${seat}`;

// What each seat has signed before a position, without what was made void (EXP-17, EXP-22).
export function signedBefore(lot, before) {
  const voided = lot.all("sheet.voided").filter(({ n }) => n < before).map(({ body }) => nameOf(body));
  const outdated = lot.all("sheets.outdated").filter(({ n }) => n < before).flatMap(({ body }) => body.sheets.map(nameOf));
  const gone = new Set([...voided, ...outdated]);
  const again = ofCommittee(lot, before).filter(({ kind }) => kind === "evaluation.resumed").at(-1)?.n ?? -1;
  const since = lot.all("sheet.signed").filter(({ n }) => n > again && n < before);
  return new Map(since.filter(({ body }) => !gone.has(nameOf(body))).map((logged) => [logged.body.seat, logged]));
}

const handedInBefore = (lot, before) => lot.all("sheet.handed_in").filter(({ n }) => n < before);

// Every sheet came when all who sat had signed and shown theirs to be there, and is the one that was signed.
export function checkHandedIn(lot, check, opened) {
  const came = new Set();
  for (const { n, place, body } of handedInBefore(lot, opened.n)) {
    const signed = signedBefore(lot, n), seats = [...seatsOf(lot, n)], all = seats.every((seat) => signed.has(seat));
    check.require(place, all, "sheet_early");
    check.require(place, signed.get(body.seat)?.body.sheet_commit === body.sheet_commit, "sheet_other");
    if (all && !isOpen(lot, n)) checkShown(lot, check, { n, place }, seats.map((seat) => signed.get(seat)));
    came.add(body.sheet_commit);
  }
  check.require(opened.place, opened.body.sheets.every((sha256) => came.has(sha256)), "sheet_absent");
}

// All sheets that count were shown or in before; signatures of older logs, without `bids`, were never asked.
function checkShown(lot, check, { n, place }, signed) {
  const before = new Set(handedInBefore(lot, n).map(({ body }) => body.sheet_commit)), echoes = echoesBefore(lot, n);
  for (const { body } of signed) {
    const shown = echoes.has(nameOf(body)) || before.has(body.sheet_commit) || !Object.hasOwn(body, "bids");
    check.require(place, shown, "sheet_unshown");
  }
}

// What was shown is what was handed in, where the tier holds the sheets.
export async function checkEchoes(lot, check, logged) {
  const opened = lot.all("scores.opened").findLast(({ n }) => n < logged.n);
  for (const { n, place, body } of handedInBefore(lot, opened?.n ?? -1)) {
    const signed = signedBefore(lot, n), seats = [...seatsOf(lot, n)];
    const own = echoesBefore(lot, n).get(nameOf(body)), sheet = lot.evidence.document(body.sheet_commit, SHEET);
    if (own === undefined || sheet === null || isOpen(lot, n) || !seats.every((seat) => signed.has(seat))) continue;
    const commits = seats.map((seat) => signed.get(seat).body.sheet_commit).sort();
    const asked = await tupleHash("mingbiao/sheet/challenge", ...commits.map(unhex));
    check.require(place, hex(await tupleHash("mingbiao/sheet/echo", asked, sheet.data)) === own, "sheet_echo");
  }
}

// The echoes that count before a position: since committee or signatures changed last.
function echoesBefore(lot, before) {
  const changes = [...lot.all("sheet.voided"), ...lot.all("sheets.outdated"), ...ofCommittee(lot, before)];
  const since = Math.max(-1, ...changes.map(({ n }) => n).filter((n) => n < before));
  const held = lot.all("sheet.held").filter(({ n }) => n > since && n < before);
  return new Map(held.map(({ body }) => [nameOf(body), body.echo]));
}

// Nobody scores again who has shown a sheet while others were handed in already (EXP-22).
export function checkVoided(lot, check, opened) {
  for (const { n, place, body } of lot.all("sheet.voided").filter((each) => each.n <= opened.n)) {
    const others = [...signedBefore(lot, n)].filter(([seat]) => seat !== body.seat).map(([, each]) => each.body.sheet_commit);
    const isOut = handedInBefore(lot, n).some((each) => others.includes(each.body.sheet_commit));
    check.require(place, !(isOut && echoesBefore(lot, n).has(nameOf(body))), "sheet_voided_late");
  }
}

// Whether scores were open at a position: then a correction of the re-check hides nothing.
function isOpen(lot, before) {
  const opened = lot.all("scores.opened").findLast(({ n }) => n < before)?.n ?? -1;
  return opened > (ofCommittee(lot, before).at(-1)?.n ?? -1);
}

// The seats of the committee before a position: those that began, replaced ones exchanged (EXP-17, 18).
export function seatsOf(lot, before) {
  let seats = new Set();
  for (const { body } of ofCommittee(lot, before)) {
    if (Object.hasOwn(body, "seats")) seats = new Set(body.seats);
    else {
      seats.delete(body.seat);
      seats.add(body.by);
    }
  }
  return seats;
}

// What changed the committee before a position, in the order of the log.
function ofCommittee(lot, before) {
  const kinds = ["evaluation.started", "member.replaced", "evaluation.resumed"];
  const found = kinds.flatMap((kind) => lot.evidence.ofKind(kind).map(({ procedure, n, body }) => ({ kind, procedure, n, body })));
  return found.filter(({ procedure, n }) => procedure === lot.procedure && n < before).sort((left, right) => left.n - right.n);
}
