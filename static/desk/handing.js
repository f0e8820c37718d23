// Handing in: asks how many have signed, and sends the signed sheet of this machine when all have; forgets it afterwards.
import { put } from "./signing.js";

const PAUSE_MS = 5000;

export class Handing {
  constructor(box, drafts) {
    this.box = box;
    this.drafts = drafts;
    this.told = JSON.parse(box.dataset.told);
    this.form = box.querySelector("form[data-hand-in]");
    if (this.told.handed_in) drafts.close(this.told.version);
    this.form?.addEventListener("submit", () => this.#fill());
    if (this.form && box.dataset.refused === "off") this.#send();
    if (!this.told.opened && this.told.version) setInterval(() => this.#ask(), PAUSE_MS);
  }

  // What is sent is the document of the very digest that was signed; this machine may not have it.
  #fill() {
    const text = this.drafts.sheet(this.told.commit), field = this.form.elements.sheet;
    if (text !== null && field.files.length === 0) put(field, text);
    return text !== null;
  }

  // By itself it is sent once in a window: what was refused is looked at by its member, not sent again and again.
  #send() {
    const line = this.box.querySelector("[data-handing-say]"), tried = `${this.drafts.name}.sent`;
    if (!this.#fill()) {
      line.textContent = this.box.dataset.textElsewhere;
    } else if (sessionStorage.getItem(tried) !== this.told.commit) {
      sessionStorage.setItem(tried, this.told.commit);
      line.textContent = this.box.dataset.textSending;
      this.form.submit();
    }
  }

  async #ask() {
    let now = null;
    try {
      const answer = await fetch(this.box.dataset.url, { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      now = await answer.json();
    } catch {
      return;
    }
    const differs = (name) => now[name] !== this.told[name];
    const isDue = now.missing === 0 && !now.handed_in && !this.form;
    if (isDue || (this.box.dataset.follow === "on" && ["missing", "waiting", "opened", "version"].some(differs))) location.reload();
  }
}
