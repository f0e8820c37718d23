// The order of all checks of a bundle, with the ids of verifier/verification.py (AL1 L12.2, S17, T11).
import { readTrust, TRUST_LIMIT, trustOf } from "./trust.js";
import { Container } from "./container.js";
import { Evidence } from "./evidence.js";
import { Report } from "./report.js";
import { lotsOf } from "./lot.js";
import {
  checkAgainst, checkFiles, checkMainCheckpoint, checkOtherCheckpoints, checkProofs, checkWholeLog,
} from "./checks_log.js";
import { checkDemo, checkDocuments, checkNamedDocuments, loadDocuments } from "./checks_documents.js";
import {
  checkBidSignatures, checkEnvelopes, checkFingerprints, checkManifest, checkOnTime, checkPolicy, checkPossession,
  checkSchedule, checkVersions,
} from "./checks_bids.js";
import {
  checkAdjudications, checkCombination, checkFactors, checkNonRelease, checkOrders, checkReleases, checkShareChecks,
} from "./checks_opening.js";
import { checkPrices, checkVerdicts, leaveToCommand } from "./checks_verdicts.js";
import {
  checkBidTimes, checkCloseEntry, checkEntryTimes, checkHeartbeat, checkScheduleChain, checkWindows,
} from "./checks_time.js";
import { checkIntake } from "./checks_intake.js";
import { checkClocks } from "./checks_clocks.js";
import { keptCheckpoints, spansLogs } from "./checks_continued.js";
import { checkConfirmations, checkExtensions } from "./checks_extension.js";
import { checkOutageClose } from "./checks_outages.js";
import { checkRefusedClose } from "./checks_refusals.js";
import { checkAward, checkNotices, checkRanking } from "./checks_ranking.js";

const LOT_CHECKS = [
  ["SB-01", checkPolicy], ["SB-02", checkPossession], ["SB-03", checkSchedule], ["SB-04", checkEnvelopes],
  ["SB-05", checkBidSignatures], ["SB-06", checkVersions], ["SB-07", checkOnTime], ["SB-08", checkManifest],
  ["SB-09", checkOrders], ["SB-10", checkShareChecks, checkAdjudications], ["SB-11", checkFactors, leaveToCommand],
  ["SB-12", checkReleases], ["SB-13", checkCombination], ["SB-14", leaveToCommand], ["SB-15", leaveToCommand],
  ["SB-16", checkPrices], ["SB-17", checkVerdicts], ["SB-18", checkFingerprints], ["SB-19", checkNonRelease],
  ["SB-21", checkIntake],
  ["TE-01", checkScheduleChain],
  ["TE-02", checkExtensions, checkConfirmations, checkRefusedClose, checkOutageClose], ["TE-03", checkHeartbeat],
  ["TE-04", checkCloseEntry], ["TE-05", checkBidTimes], ["TE-09", checkWindows],
  ["RK-01", checkRanking], ["RK-02", checkAward], ["RK-03", checkNotices],
];
// What can be told of a holder's own bid alone; the rest needs the records of the others.
const HOLDER_CHECKS = ["SB-01", "SB-03", "SB-04", "SB-05", "TE-01"];
const DRAW_CHECKS = Array.from({ length: 13 }, (_, at) => `ED-${String(at + 1).padStart(2, "0")}`);
const LATER_CHECKS = ["AL-13", "SB-20"]; // of no release yet
const STAMP_CHECKS = ["AL-11", "TE-08"];

// Whatever a check raises on hostile data is a failure of that check and never an end without a result.
async function guarded(report, id, run) {
  try {
    await run(report.check(id));
  } catch (error) {
    report.check(id).caught("verifier", error);
  }
}

// `kept` are checkpoints as { name, data }; `tick(label, done, total)` is told how far the work is.
export async function verifyBundle(bundle, trust, report, kept, tick) {
  const header = await checkFiles(bundle, report, tick);
  if (header === null) return;
  report.facts = Object.fromEntries(["kind", "tier", "procedure", "lot", "stage"].map((name) => [name, header[name]]));
  const evidence = new Evidence(bundle, trustOf(trust, header.origin), report, header);
  Object.assign(report.facts, { origin: evidence.trust.origin, size: null, later: null });
  if (spansLogs(evidence)) return;
  await guarded(report, "AL-02", () => checkMainCheckpoint(evidence));
  await guarded(report, "AL-03", () => checkProofs(evidence, tick));
  await guarded(report, "AL-09", () => checkWholeLog(evidence, tick));
  if (spansLogs(evidence)) return;
  await guarded(report, "AL-07", () => loadDocuments(evidence));
  await guarded(report, "AL-05", () => checkOtherCheckpoints(evidence));
  await guarded(report, "AL-06", () => checkAgainst(evidence, keptCheckpoints(report, kept)));
  await guarded(report, "AL-07", () => checkDocuments(evidence));
  await guarded(report, "AL-08", () => checkNamedDocuments(evidence));
  await guarded(report, "AL-12", () => checkDemo(evidence));
  await guarded(report, "TE-06", (check) => checkEntryTimes(evidence, check));
  await guarded(report, "TE-07", (check) => checkClocks(evidence, check));
  await checkLots(evidence, report, tick);
  leaveStampsAndDraws(evidence, report);
  for (const id of LATER_CHECKS) report.check(id);
  report.facts.size = evidence.main?.checkpoint.size ?? null;
  if (trust.origin !== evidence.trust.origin) report.facts.later = trust.origin;
}

async function checkLots(evidence, report, tick) {
  const { kind } = evidence.header;
  for (const [id] of LOT_CHECKS) report.check(id);
  if (kind === "custodian-job") report.check("AL-08").gap("bundle.json", "bundle_kind", { kind });
  const lots = evidence.holds("public") && !["custodian-job", "draw"].includes(kind) ? lotsOf(evidence) : [];
  for (const [done, lot] of lots.entries()) {
    tick("lots", done, lots.length);
    for (const [id, ...checks] of LOT_CHECKS) {
      if (["receipt", "bidder"].includes(kind) && !HOLDER_CHECKS.includes(id)) continue;
      for (const run of checks) await guarded(report, id, (check) => run(lot, check));
    }
  }
}

// Tokens are CMS under certificates and draws have a verifier of their own: the command checks both.
function leaveStampsAndDraws(evidence, report) {
  const { kind } = evidence.header, [token] = evidence.bundle.under("tst/");
  const [anchored] = evidence.wholeLog ? evidence.ofKind("tst.anchored") : [];
  for (const id of STAMP_CHECKS) {
    const check = report.check(id), place = token ?? anchored?.place;
    if (place !== undefined) check.gap(place, "command");
  }
  const drawn = evidence.records.find((logged) => logged.kind.startsWith("draw."));
  const shown = !["receipt", "bidder"].includes(kind) && evidence.holds("public") && (kind === "draw" || drawn !== undefined);
  for (const id of DRAW_CHECKS) {
    const check = report.check(id);
    if (shown) check.gap(drawn?.place ?? "bundle.json", "command");
  }
}

// Opens what the reader chose: bundle, trust file or null, kept checkpoints as files. The report is plain data.
export async function verifyFiles(file, trustFile, against, tick) {
  const report = new Report(trustFile !== null);
  let bundle = null, trust = null;
  try {
    bundle = await Container.open(file);
  } catch (error) {
    report.check("AL-01").caught(file.name, error);
    return report.asData();
  }
  try {
    trust = await (trustFile === null ? ownTrust(bundle) : readTrust(await bytesOf(trustFile)));
  } catch (error) {
    report.check("AL-02").caught(trustFile?.name ?? "trust.json", error);
    return report.asData();
  }
  report.trustSha256 = trust.sha256;
  const kept = [];
  for (const each of against) kept.push({ name: each.name, data: await bytesOf(each) });
  await verifyBundle(bundle, trust, report, kept, tick);
  return report.asData();
}

async function ownTrust(bundle) {
  const signatures = bundle.has("trust.sig") ? await bundle.read("trust.sig", TRUST_LIMIT) : null;
  return readTrust(await bundle.read("trust.json", TRUST_LIMIT), signatures);
}
const bytesOf = async (file) => new Uint8Array(await file.arrayBuffer());
