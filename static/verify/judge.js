// The verdict on a bid by the table of SB1 S10, as far as public facts decide it. Shares are secret, so rows 3 and 7 to 12
// cannot be told apart: the result is then the set of verdicts that the facts allow.
import { findTranscript, lastVerdict, newestFactorList, revealedBids, shareChecksEnd, usedReleases } from "./ceremony.js";
import { BAD_CODES } from "./checks_opening.js";
import { envelopeFaults, isCopy, signatureFaults } from "./envelopes.js";

const PUBLIC_UNKNOWN = [
  "OK", "PLATFORM_PART_LOST", "TOO_FEW_SHARES", "BIDDER_MALFORMED_SEALING", "PENDING", "BIDDER_MALFORMED_CONTENT",
];
const decided = (verdict) => ({ possible: [verdict], faults: [] });

const valueOf = ({ value }, bid, name) => value.items.find((row) => row.bid === bid)?.[name] ?? null;

// The first fault of a custodian that applies (S10); whether a share that was given is good is a secret.
export function faultOf({ code, finding, answered, given }) {
  if (finding === "custodian_fault" || code === "envelope_invalid") return "CUSTODIAN_FALSE_BAD";
  if (code === null && !answered) return "CUSTODIAN_ABSENT";
  return !given && !BAD_CODES.includes(code) ? "CUSTODIAN_NO_RELEASE" : null;
}

// Applies S10 to the bids of a lot; adjudications count if they were logged before index `until`, null for all.
export class Judge {
  constructor(lot, order, policy, until) {
    Object.assign(this, { lot, order, policy: policy.value, until, releases: usedReleases(lot) });
    this.versions = new Map(lot.everyVersion.map((version) => [version.sha256, version]));
    this.listed = new Map((newestFactorList(lot)?.[1].value.items ?? []).map(({ bid, result }) => [bid, result]));
  }
  async judge({ bid, envelope_sha256: sha256 }) {
    const { lot, policy } = this, version = this.versions.get(sha256);
    if (version === undefined || version.document === null) return decided("PLATFORM_BAD_INTAKE");
    if (envelopeFaults(lot, version).length + signatureFaults(version).length > 0) return decided("PLATFORM_BAD_INTAKE");
    const codes = this.custodians(bid).map(({ code }) => code);
    const failed = codes.filter((code) => code === "hpke_open_failed").length >= policy.k && !codes.includes("ok");
    if (failed && (await isCopy(lot, version.document))) return decided("BIDDER_COPIED");
    if (this.partLost(bid)) return decided("PLATFORM_PART_LOST");
    if (policy.bidder_factor && !revealedBids(lot).has(bid)) return decided("BIDDER_NO_FACTOR");
    if (policy.bidder_factor && this.listed.get(bid) !== "valid") return decided("PLATFORM_FACTOR_LOST");
    return { possible: PUBLIC_UNKNOWN, faults: null };
  }
  // Whether opening.combined says that no store had a part (row 3): nobody can prove an absence.
  partLost(bid) {
    const rows = this.lot.last("opening.combined")?.body.items ?? [];
    return rows.some((row) => row.bid === bid && row.verdict === "PLATFORM_PART_LOST");
  }
  // What each custodian did for a bid, from share checks, adjudications and releases.
  custodians(bid) {
    const { lot, until } = this, end = shareChecksEnd(lot);
    const found = new Map(this.policy.custodians.map(({ i }) => [
      i, { index: i, code: null, finding: null, answered: false, given: false },
    ]));
    const set = (document, name, value) => {
      const custodian = found.get(document.value.custodian);
      if (custodian !== undefined && value !== null) custodian[name] = value;
    };
    for (const [{ n }, document] of lot.pairs("share.checked", "check_sha256", "sb1.share-check")) {
      if (end === null || n < end) set(document, "code", valueOf(document, bid, "code"));
    }
    for (const [{ n }, document] of lot.pairs("share.adjudicated", "adjudication_sha256", "sb1.adjudication")) {
      if (until === null || n < until) set(document, "finding", valueOf(document, bid, "finding"));
    }
    for (const [, document] of this.releases) {
      set(document, "answered", true);
      set(document, "given", valueOf(document, bid, "ct") !== null);
    }
    return [...found.values()];
  }
}

// Who judges the combination: with what was adjudicated at release.closed (S10).
export const judgeOf = (lot, order, policy) => new Judge(lot, order, policy, lot.last("release.closed")?.n ?? null);

// The ruling on each bid of the newest order; `settled` on one that was PENDING, by what was adjudicated since.
export async function rulings(lot, order, policy, combined) {
  const judge = judgeOf(lot, order, policy), found = new Map();
  for (const row of order.value.bids) {
    const ruling = await judge.judge(row), last = lastVerdict(lot, row.bid);
    const pending = combined.body.items.some((item) => item.bid === row.bid && item.verdict === "PENDING");
    if (pending && last !== null && last.body.verdict !== "PENDING") {
      ruling.settled = await new Judge(lot, order, policy, last.n).judge(row);
    }
    found.set(row.bid, ruling);
  }
  return found;
}

// What shows secrets: the audit transcript, or the row of it that a bidder has given away.
export const secretTranscript = (lot) =>
  findTranscript(lot, "audit") ?? lot.evidence.ofType("sb1.audit-item")[0] ?? null;
