// AL-14: a log that continues a closed one (AL1 L13). Here one log is checked: what spans several is left to the command.
import { BEFORE } from "./container.js";
import { originsOf } from "./trust.js";

const CONTINUED = "log.continued", KEPT_RECEIPT = ".tlog-proof";

// Whether the files, the trust file or a record tell of an earlier log: then nothing further may be judged from one alone.
export function spansLogs({ bundle, trust, header, report, records }) {
  const check = report.check("AL-14"), { origin } = trust;
  const [file] = bundle.under(BEFORE), earlier = header.origin === origin ? originsOf(trust).slice(0, -1) : [];
  const record = records.find(({ kind }) => kind === CONTINUED);
  if (file === undefined && earlier.length === 0 && record === undefined) return false;
  const before = earlier.at(-1) ?? record?.body.old_origin ?? null;
  check.gap(file ?? record?.place ?? "bundle.json", before === null ? "continued" : "continues", { origin, before });
  return true;
}

// The checkpoints that the reader kept; a kept receipt of log.continued is for the command, too.
export function keptCheckpoints(report, kept) {
  const isReceipt = ({ name }) => name.endsWith(KEPT_RECEIPT);
  for (const { name } of kept.filter(isReceipt)) report.check("AL-14").gap(name, "command");
  return kept.filter((each) => !isReceipt(each));
}
