// What the records of an opening say together: factor lists, releases, transcripts, and the verdict on a bid (SB1 S9, S10).

export const firstFactorList = (lot) => lot.first("factor.closed"); // factors revealed after it do not count

export const newestFactorList = (lot) => lot.pairs("factor.closed", "factor_list_sha256", "sb1.factor-list").at(-1) ?? null;

// The bids with a factor.revealed before the first factor.closed (S10 row 4).
export function revealedBids(lot) {
  const first = firstFactorList(lot);
  return new Set(lot.all("factor.revealed").filter(({ n }) => first === null || n < first.n).map(({ body }) => body.bid));
}

// The releases for the newest order that came before release.closed, by custodian.
export function usedReleases(lot) {
  const { order } = lot, end = lot.last("release.closed");
  const found = lot.pairs("share.released", "release_sha256", "sb1.release").filter(([logged, document]) =>
    order !== null && document.value.order_sha256 === order.sha256 && (end === null || logged.n < end.n));
  return found.sort(([, left], [, right]) => left.value.custodian - right.value.custodian);
}

// The bids that every release must name, in order: the valid ones, or all without factor.
export function releasedBids(lot) {
  const { order } = lot, newest = newestFactorList(lot);
  if (order === null || (lot.factorMode && newest === null)) return null;
  if (!lot.factorMode) return order.value.bids.map(({ bid }) => bid);
  return newest[1].value.items.filter(({ result }) => result === "valid").map(({ bid }) => bid);
}

// The index before which share checks count: factor.opened, or the first release without factor.
export const shareChecksEnd = (lot) => lot.first(lot.factorMode ? "factor.opened" : "share.released")?.n ?? null;

// The last verdict that the log gives for a bid; OK if it was opened.
export function finalVerdict(lot, bid) {
  const judged = lastVerdict(lot, bid);
  if (judged !== null) return judged.body.verdict;
  return lot.all("bid.opened").some(({ body }) => body.bid === bid) ? "OK" : null;
}
export const lastVerdict = (lot, bid) => lot.all("bid.verdict").findLast(({ body }) => body.bid === bid) ?? null;

// The institution key that the policy names for a custodian index.
export const institutionOf = (lot, index) => lot.policy?.value.custodians.find(({ i }) => i === index)?.kid ?? null;

// The transcript of a tier that opening.completed names.
export function findTranscript(lot, tier) {
  const named = lot.last("opening.completed")?.body.transcript_sha256s ?? [];
  const found = named.map((sha256) => lot.evidence.document(sha256, "sb1.transcript"));
  return found.find((document) => document?.value.tier === tier) ?? null;
}
export const transcriptItem = (transcript, bid) => transcript.value.items.find((row) => row.bid === bid) ?? null;
