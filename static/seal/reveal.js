// The bidder confirms the opening (SB1 S9.5): its factor comes out of the saved package, here, and is all that is sent.
import { SealingWorker } from "./client.js";
import { fault, main, part, received, say, when, word } from "./told.js";

const { bid, standing, token } = main.dataset;
const worker = new SealingWorker(({ asking }) => asking && say("revealed", "notice", word("asking")));

async function reveal() {
  const [file] = part("saved").files;
  if (file === undefined) throw fault("choose_package");
  say("revealed", "notice", word("revealing"));
  const passphrase = part("passphrase").value;
  received("revealed", await worker.ask("reveal", { token, file, passphrase, standing: { bid, sha256: standing } }));
  part("after").hidden = false;
  part("revealed").focus();
}

when("reveal", "revealed", reveal);
