// SB-21: what the supervisor's intake listed was received or refused before the close, and nothing else is its (S7.6).
// Refusals name bidders: tier audit alone has them. Below it an envelope that nobody received is only told.
import { short } from "./bytes.js";
import { isConfirmed } from "./checks_clocks.js";
import { intakePolicy, readReceipt } from "./intake.js";

export async function checkIntake(lot, check) {
  const { closed, schedule, evidence } = lot;
  for (const logged of lot.all("bid.received")) await checkReceipt(lot, check, logged);
  if (closed === null || schedule === null) return;
  const { intake_list_sha256: named } = closed.body;
  if (schedule.intake === null) {
    if (named !== undefined) check.fail(closed.place, "intake_none");
    return;
  }
  await checkKey(lot, check);
  if (named === undefined) {
    if (isConfirmed(evidence, closed, "intake")) check.note(closed.place, "intake_confirmed");
    else check.require(closed.place, false, "intake_unlisted");
    return;
  }
  const listed = evidence.document(named, "sb1.intake-list");
  if (listed !== null) checkList(lot, check, closed, listed); // that it is missing is told by AL-08
}

async function checkKey(lot, check) {
  try {
    await intakePolicy(lot);
    check.passed();
  } catch (error) {
    check.caught(lot.schedules.at(-1)[1].place, error);
  }
}

// A receipt stands exactly with what came through the intake, and says the same as the record.
async function checkReceipt(lot, check, logged) {
  const { place, body } = logged, { intake_receipt_sha256: sha256 } = body;
  if (body.via !== "intake") {
    if (sha256 !== undefined) check.fail(place, "intake_other");
    return;
  }
  if (lot.veiled && !lot.evidence.documents.has(sha256)) return; // not published yet, which AL-08 notes
  try {
    await readReceipt(lot, logged);
    check.passed();
  } catch (error) {
    check.caught(place, error);
  }
}

function checkList(lot, check, closed, listed) {
  const { value, place } = listed;
  check.require(place, listed.signedBy("supervisor") !== null, "not_signed_by", { role: "supervisor" });
  check.require(place, ["lot", "policy_sha256", "stage"].every((name) => value[name] === closed.body[name]), "other_lot");
  check.require(place, value.created >= closed.body.close, "intake_early");
  for (const sha256 of value.envelopes) checkEntered(lot, check, closed, sha256);
  for (const { place: at, body } of lot.all("bid.received").filter(({ body: { via } }) => via === "intake")) {
    check.require(at, value.envelopes.includes(body.envelope_sha256), "intake_not_listed");
  }
}

// A listed envelope was received or, for a reason that holds, refused before the close entry.
function checkEntered(lot, check, closed, sha256) {
  const [entered, refused] = ["bid.received", "bid.refused"].map((kind) =>
    lot.all(kind).filter(({ n, body }) => body.envelope_sha256 === sha256 && n < closed.n));
  const found = entered.length + refused.length > 0, envelope = short(sha256);
  if (!found && !lot.evidence.holds("audit")) {
    check.note(closed.place, "intake_hidden", { envelope });
    return;
  }
  if (!check.require(closed.place, found, "intake_left_out", { envelope }) || entered.length > 0) return;
  check.require(refused.at(-1).place, isDue(lot, refused.at(-1), closed), "intake_refusal", { envelope });
}

// Whether a refusal is what the records ask for, as far as they tell.
function isDue(lot, { n, body }, closed) {
  if (body.code === "bid.late") return body.received_at >= closed.body.close;
  if (body.code !== "bid.version_conflict") return true;
  const document = lot.envelope(body.envelope_sha256);
  if (document === null) return false;
  const { bid, seq, supersedes } = document.value;
  const standing = (lot.versions.get(bid) ?? []).filter(({ logged }) => logged.n < n).at(-1);
  return seq - 1 !== (standing?.seq ?? 0) || supersedes !== (standing?.sha256 ?? null);
}
