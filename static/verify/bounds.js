// Time bounds from witnesses and the verdict on a bid's timeliness (TE1 T7).

export const DRAIN_MS = 5000;
export const HALF_HOUR_MS = 1_800_000;
const TOLERANCE_MS = DRAIN_MS + 2000;

export const NOT_A_BID = "not a bid", PROVEN_ON_TIME = "PROVEN_ON_TIME";
export const ON_TIME_BY_ORDER = "ON_TIME_BY_ORDER", QUESTIONABLE = "QUESTIONABLE";

// The instant (ms) by which entry n existed; without a quorum over it, infinity.
export const upper = (n, notes) => Math.min(
  ...notes.filter(({ up, checkpoint }) => up !== null && checkpoint.size > n).map(({ up }) => 1000 * up + 999));

// The instant (ms) at which nobody honest had been shown entry n; 0 if no checkpoint says so.
export const lower = (n, notes) => Math.max(
  0, ...notes.filter(({ low, checkpoint }) => low !== null && checkpoint.size <= n).map(({ low }) => 1000 * low));

// The verdict of T7 for a bid at index n, with the bound of its intake receipt; the boundary is exclusive of `close`.
export function timeVerdict(n, closeN, close, notes, intakeUpper) {
  if (n > closeN) return NOT_A_BID;
  if (upper(n, notes) < close || intakeUpper < close) return PROVEN_ON_TIME;
  return lower(n, notes) <= close + TOLERANCE_MS ? ON_TIME_BY_ORDER : QUESTIONABLE;
}
