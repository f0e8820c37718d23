// A sheet as it is signed: made and checked on this machine from what was typed, with a random salt, and told to the
// platform by its digest alone (EXP-22, ADR 0070). trading/evaluation/rules/commitment.py makes the same bytes.
import { byBytes, canonical, hex, sha256, tupleHash, unhex, utf8 } from "../seal/encoding.js";
import { decimal, hundredths } from "./sheet.js";

const COMMENT_LIMIT = 1000;
const SALT_BYTES = 32;

const cellOf = (cells, bid, criterion) => cells[bid]?.[criterion] ?? { points: "", comment: "" };
const words = (text) => (text ?? "").trim().normalize("NFC");

function faultOf(criterion, { points, comment }) {
  if (!points) return "missing";
  const value = hundredths(points);
  if (value === null || words(comment).length > COMMENT_LIMIT) return "wrong";
  if (criterion.kind === "objective") return criterion.bands.some((band) => hundredths(band) === value) ? null : "wrong";
  const most = hundredths(criterion.max);
  if (value > most || value % hundredths(criterion.step) !== 0) return "wrong";
  return (value === 0 || value === most) && !words(comment) ? "comment" : null;
}

// Every cell that would make the sheet invalid, {bid, criterion, fault}: missing, wrong, comment, or kept, which is a score
// that was open before and may not change.
export function faultsOf(task, cells) {
  const found = [];
  for (const bid of task.bids) {
    for (const criterion of task.criteria) {
      const cell = cellOf(cells, bid, criterion.id), kept = task.kept[bid]?.[criterion.id];
      let fault = faultOf(criterion, cell);
      if (fault === null && kept !== undefined && hundredths(kept) !== hundredths(cell.points)) fault = "kept";
      if (fault !== null) found.push({ bid, criterion: criterion.id, fault });
    }
  }
  return found;
}

// {text, commit}: the canonical document and its SHA-256 in hex. Without `salt` it gets a random one.
export async function makeSheet(task, cells, reason, salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES))) {
  const score = (bid, { id }) => {
    const { points, comment } = cellOf(cells, bid, id);
    return { comment: words(comment) || null, criterion: id, points: decimal(hundredths(points)) };
  };
  const { tender, lot, stage, seat, version, criteria } = task;
  const items = [...task.bids].sort(byBytes).map((bid) => ({ bid, scores: criteria.map((each) => score(bid, each)) }));
  const document = {
    items, lot, reason: words(reason) || null, salt: hex(salt), seat, stage, tender, typ: "mb.score-sheet", v: 1, version,
  };
  const data = canonical(document);
  return { text: new TextDecoder().decode(data), commit: hex(await sha256(data)) };
}

// The echo of a sheet in hex: the digest of challenge and sheet, which shows that it is here and nothing of it (ADR 0078).
export const echoOf = async (challenge, text) => hex(await tupleHash("mingbiao/sheet/echo", unhex(challenge), utf8(text)));
