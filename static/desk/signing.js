// The page that signs: shows what lies on this machine, makes the sheet, keeps it, and sends its digest alone.
import { faultsOf, makeSheet } from "./commitment.js";

export class Signing {
  constructor(form, drafts) {
    this.form = form;
    this.drafts = drafts;
    this.text = form.dataset;
    this.task = JSON.parse(form.dataset.task);
    this.cells = Object.fromEntries(this.task.bids.map((bid) => [bid, drafts.typed(bid)?.cells ?? this.task.own[bid] ?? {}]));
    this.why = form.querySelector("[data-why]");
    form.elements.commit.value = ""; // some browsers put values back by themselves
    this.#show();
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#sign(); });
  }

  #show() {
    for (const box of document.querySelectorAll("[data-cell]")) {
      const cell = this.cells[box.dataset.bid]?.[box.dataset.criterion];
      if (!cell?.points) continue;
      const comment = document.createElement("span");
      comment.className = "code";
      comment.textContent = cell.comment;
      box.replaceChildren(cell.points, comment);
    }
  }

  #faults() {
    const faults = faultsOf(this.task, this.cells), name = ({ bid, criterion }) => {
      const box = document.querySelector(`[data-cell][data-bid="${CSS.escape(bid)}"][data-criterion="${CSS.escape(criterion)}"]`);
      return box ? `${box.dataset.name}, ${box.dataset.title}` : `${bid}, ${criterion}`;
    };
    const texts = { missing: this.text.textMissing, wrong: this.text.textWrong, comment: this.text.textComment, kept: this.text.textKept };
    const lines = faults.map((each) => texts[each.fault].replace("…", name(each)));
    this.#tell(lines);
    return lines.length;
  }

  #tell(lines) {
    const list = this.form.querySelector("[data-faults]");
    list.firstElementChild.replaceChildren(...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })));
    list.hidden = lines.length === 0;
  }

  async #sign() {
    const { commit, sheet } = this.form.elements;
    if (commit.value.trim() || sheet?.files.length) return this.form.submit(); // made by a program, which checked it
    if (this.#faults()) return this.form.querySelector("[data-faults]").focus();
    const reason = this.why?.value ?? "";
    if (this.task.changes && !reason.trim()) return this.#refuse(this.text.textReason, this.why);
    const made = await makeSheet(this.task, this.cells, reason);
    if (sheet) {
      put(sheet, made.text);
    } else if (!this.drafts.keep(made.commit, made.text)) {
      return this.#refuse(this.text.textLost);
    }
    commit.value = made.commit;
    this.form.elements.version.value = this.task.version;
    return this.form.submit();
  }

  #refuse(line, field) {
    this.#tell([line]);
    (field ?? this.form.querySelector("[data-faults]")).focus();
  }
}

// Put a text into a file field as if it had been chosen.
export function put(field, text) {
  const transfer = new DataTransfer();
  transfer.items.add(new File([text], "score-sheet.json", { type: "application/json" }));
  field.files = transfer.files;
}
