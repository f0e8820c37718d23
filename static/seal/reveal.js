// The bidder confirms the opening, or rescues the bid (SB1 S9.5, S9.6): the saved package is opened here, and of it only
// what the act needs is sent: the factor, or both secrets.
import { SealingWorker } from "./client.js";
import { fault, main, part, received, saveLink, say, when, word } from "./told.js";

const { act, bid, seq, standing, token } = main.dataset;
const worker = new SealingWorker(({ asking }) => asking && say("revealed", "notice", word("asking")));

async function reveal() {
  const [file] = part("saved").files;
  if (file === undefined) throw fault("choose_package");
  say("revealed", "notice", word("revealing"));
  const given = { token, file, passphrase: part("passphrase").value, standing: { bid, seq, sha256: standing } };
  const answer = await worker.ask(act, given).catch((error) => unanswered(error, given));
  received("revealed", answer);
  part("passphrase").value = "";
  part("asked").hidden = part("handed").hidden = true;
  part("receipt").replaceChildren(...receiptOf(answer));
  part("after").hidden = false;
  part("revealed").focus();
}

// A platform that stays away cannot suppress a factor: whoever the bidder hands it to acknowledges and forwards it.
async function unanswered(error, given) {
  if (error.code === "unanswered" && act === "reveal") {
    const blob = new Blob([await worker.ask("written", given)], { type: "application/json" });
    part("handed").replaceChildren(saveLink(word("save_factor"), `${bid}-${seq}.factor.json`, blob));
    part("handed").hidden = false;
  }
  throw error;
}

function receiptOf({ content: { receipt } }) {
  if (receipt === undefined) return [];
  return [saveLink(word("save_receipt"), `${bid}-${seq}.${act}.tlog-proof`, new Blob([receipt], { type: "text/plain" }))];
}

when("reveal", "revealed", reveal);
