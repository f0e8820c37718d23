// Checks of what was opened: prices and verdicts, SB-16 and SB-17 (SB1 S10, S17). What only the secrets of an audit bundle
// decide (SB-14, SB-15, rows 7 to 12) is left to the command and said to be.
import { openAge } from "./age.js";
import { alike, Fault, hexDigest, need } from "./bytes.js";
import { admitObject, canonicalBytes } from "./canonical.js";
import { finalVerdict, findTranscript, lastVerdict, transcriptItem, usedReleases } from "./ceremony.js";
import { DOCUMENT_RULES } from "./doctypes.js";
import { faultOf, Judge, judgeOf, rulings, secretTranscript } from "./judge.js";

const BOUND_FIELDS = ["bid", "bidder", "lot", "stage", "tender"];
const pricePart = (envelope) => envelope?.value.parts.find(({ name }) => name === "price") ?? null;
const isBound = (value, envelope) => BOUND_FIELDS.every((name) => value[name] === envelope.value[name]);

// SB-14, SB-15: shares, combination and the other parts need the secrets and tools that no browser has.
export function leaveToCommand(lot, check) {
  const transcript = secretTranscript(lot);
  if (transcript !== null) check.gap(transcript.place, "secrets");
}

// SB-16: identity_price opens the price ciphertext of the envelope to the price read out (tier bidders).
export async function checkPrices(lot, check) {
  const { policy, evidence } = lot, transcript = findTranscript(lot, "bidders") ?? findTranscript(lot, "audit");
  if (policy === null || transcript === null || !evidence.holds("bidders")) return;
  for (const logged of lot.all("bid.opened")) {
    const envelope = lot.envelope(logged.body.envelope_sha256), part = pricePart(envelope);
    const row = transcriptItem(transcript, logged.body.bid);
    if (part === null || row === null) continue;
    if (row.identity_price === null) check.fail(transcript.place, "no_identity", { bid: row.bid });
    else await checkPrice(evidence.bundle, check, logged, { envelope, part, identity: row.identity_price, policy });
  }
}

async function checkPrice(bundle, check, logged, { envelope, part, identity, policy }) {
  const path = `parts/${part.sha256}.age`, { bid, price, price_sha256: sha256 } = logged.body;
  let opened = null;
  try {
    opened = await readPrice(await openAge(identity, await bundle.read(path)), policy.value.price_bytes, envelope);
  } catch (error) {
    if (error.name === "NotSupportedError") check.gap(path, "x25519");
    else check.caught(path, error);
    return;
  }
  check.require(path, bundle.size(path) === part.size, "differs", { what: "size" });
  const same = opened.sha256 === sha256 && price !== null && alike(canonicalValue(opened.value), canonicalValue(price));
  check.require(`${logged.place} bid ${bid}`, same, "other_price", { bid });
}
const canonicalValue = (value) => [...canonicalBytes(value)];

// The price document without its padding of blanks (S5.1).
async function readPrice(plain, size, envelope) {
  need(plain.length === size, "long", { size: plain.length, limit: size });
  let end = plain.length;
  while (end > 0 && plain[end - 1] === 32) end -= 1;
  const data = plain.subarray(0, end), value = admitObject(data);
  DOCUMENT_RULES["sb1.price"](value, "sb1.price");
  need(isBound(value, envelope), "other_bid");
  return { value, sha256: await hexDigest(data) };
}

// SB-17: every verdict recomputed by S10; one result per bid; records and transcripts say the same.
export async function checkVerdicts(lot, check) {
  const { order, policy } = lot, combined = lot.last("opening.combined");
  if (lot.missing("opening.completed")) check.fail(lot.place, "no_record", { kind: "opening.completed" });
  if (order === null || policy === null || combined === null) return;
  const judge = judgeOf(lot, order, policy), found = await rulings(lot, order, policy, combined);
  for (const row of order.value.bids) {
    const ruling = found.get(row.bid), item = combined.body.items.find(({ bid }) => bid === row.bid) ?? null;
    if (item !== null) {
      const { bid, verdict } = item;
      const wanted = ruling.possible.join(", ");
      check.require(combined.place, ruling.possible.includes(verdict), "verdict", { bid, found: verdict, wanted });
      checkFaults(lot, check, combined.place, item, ruling, judge.custodians(bid));
    }
    checkResult(lot, check, row, item, ruling);
  }
  for (const logged of lot.all("bid.opened")) await checkOpened(lot, check, logged, order);
  for (const tier of ["bidders", "audit"]) {
    const transcript = findTranscript(lot, tier);
    if (transcript !== null) checkTranscript(lot, check, transcript, order);
  }
  leaveToCommand(lot, check);
}

function checkFaults(lot, check, place, { bid, faults }, ruling, custodians) {
  const told = new Map(faults.map(({ custodian, code }) => [custodian, code]));
  if (ruling.faults !== null) {
    check.require(place, told.size === 0, "fault", { bid, found: [...told.values()].join(", "), wanted: null });
    return;
  }
  if (finalVerdict(lot, bid) === "PLATFORM_PART_LOST" && told.size === 0) return;
  for (const custodian of custodians) {
    const said = told.get(custodian.index) ?? null, wanted = faultOf(custodian);
    const hidden = wanted === null && custodian.given && said === "CUSTODIAN_BAD_SHARE";
    check.require(place, said === wanted || hidden, "fault", { bid, custodian: custodian.index, found: said, wanted });
  }
}

function checkResult(lot, check, { bid }, item, ruling) {
  const completed = lot.last("opening.completed"), own = ({ body }) => body.bid === bid;
  const opened = lot.all("bid.opened").filter(own), judged = lot.all("bid.verdict").filter(own);
  if (completed !== null) check.require(completed.place, opened.length + judged.length > 0, "no_result", { bid });
  const last = judged.at(-1) ?? opened.at(-1);
  if (last === undefined) return;
  const waiting = judged.slice(0, -1).every(({ body }) => body.verdict === "PENDING");
  const single = opened.length === 0 || judged.length === 0 || judged.at(-1).body.verdict === "OK";
  const once = opened.length <= 1 && waiting && single;
  check.require(last.place, once, "results", { bid });
  const final = finalVerdict(lot, bid), { possible } = ruling.settled ?? ruling;
  check.require(last.place, possible.includes(final), "verdict", { bid, found: final, wanted: possible.join(", ") });
  if (final === "PENDING") check.gap(last.place, "pending", { bid });
  for (const logged of judged) checkJudged(lot, check, logged, item, ruling);
}

// The faults of a bid.verdict: those of the combination, for a final one those found since then.
function checkJudged(lot, check, logged, item, ruling) {
  const { order, policy } = lot, { body, place, n } = logged;
  if (item?.verdict === "PENDING" && body.verdict !== "PENDING" && ruling.settled !== undefined) {
    checkFaults(lot, check, place, body, ruling.settled, new Judge(lot, order, policy, n).custodians(body.bid));
    return;
  }
  check.require(place, item === null || alike(body.faults, item.faults), "differs", { what: "faults" });
}

async function checkOpened(lot, check, { body, place }, order) {
  const row = order.value.bids.find(({ bid }) => bid === body.bid), envelope = lot.envelope(body.envelope_sha256);
  const listed = row !== undefined && row.bidder === body.bidder && row.envelope_sha256 === body.envelope_sha256;
  check.require(place, listed, "not_ordered", { bid: body.bid });
  check.require(place, (pricePart(envelope) !== null) === (body.price !== null), "price_null", { bid: body.bid });
  if (body.price === null || envelope === null) return;
  const sha256 = await hexDigest(canonicalBytes(body.price));
  const told = { what: "price_sha256", found: body.price_sha256, wanted: sha256 };
  check.require(place, sha256 === body.price_sha256, "recomputed", told);
  try {
    DOCUMENT_RULES["sb1.price"](body.price, "price");
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    check.caught(place, error);
    return;
  }
  check.require(place, isBound(body.price, envelope), "other_bid");
}

function checkTranscript(lot, check, transcript, order) {
  const { place, value } = transcript;
  for (const role of ["station-operator", "supervisor"]) {
    check.require(place, transcript.signedBy(role) !== null, "not_signed_by", { role });
  }
  check.require(place, value.order_sha256 === order.sha256, "differs", { what: "order_sha256" });
  const releases = usedReleases(lot).map(([, { sha256 }]) => sha256);
  check.require(place, alike(value.release_sha256s, releases), "differs", { what: "release_sha256s" });
  const [rows, named] = [order.value.bids, value.items].map((each) => each.map((row) => [row.bid, row.envelope_sha256]));
  check.require(place, alike(rows, named), "other_bids");
  const items = new Map((lot.last("opening.combined")?.body.items ?? []).map((item) => [item.bid, item]));
  for (const { bid, verdict, faults } of value.items) {
    const item = items.get(bid), waiting = verdict === "PENDING" && item?.verdict === "PENDING";
    const final = finalVerdict(lot, bid);
    check.require(place, waiting || verdict === final, "verdict", { bid, found: verdict, wanted: final });
    const settled = item?.verdict === "PENDING" && !waiting ? lastVerdict(lot, bid) : null;
    check.require(place, alike(faults, (settled?.body ?? item)?.faults ?? null), "differs", { what: "faults" });
  }
}
