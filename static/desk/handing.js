// Handing in: asks how many have signed, shows that the signed sheet is on this machine when all have, and sends it when
// all have shown theirs; forgets it afterwards (ADR 0078).
import { echoOf } from "./commitment.js";
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
    this.holding = box.querySelector("form[data-hold]");
    if (this.holding) {
      this.holding.elements.echo.value = ""; // some browsers put values back by themselves
      this.holding.addEventListener("submit", (event) => this.#hold(event));
    }
    if (this.form && box.dataset.refused === "off") this.#send();
    if (this.holding && box.dataset.refused === "off") this.#show();
    if (!this.told.opened && this.told.version) setInterval(() => this.#ask(), PAUSE_MS);
  }

  // What is sent is the document of the very digest that was signed; this machine may not have it.
  #fill() {
    const text = this.drafts.sheet(this.told.commit), field = this.form.elements.sheet;
    if (text !== null && field.files.length === 0) put(field, text);
    return text !== null;
  }

  // The echo is made of the document of the very digest that was signed; one that was typed is sent as it is.
  async #hold(event) {
    const { echo } = this.holding.elements, text = this.drafts.sheet(this.told.commit);
    if (echo.value.trim() || text === null) return;
    event.preventDefault();
    echo.value = await echoOf(this.told.challenge, text);
    this.holding.submit();
  }

  #show() {
    const tried = `${this.drafts.name}.shown`, line = this.box.querySelector("[data-handing-say]");
    if (this.drafts.sheet(this.told.commit) === null) {
      line.textContent = this.box.dataset.textElsewhere;
    } else if (sessionStorage.getItem(tried) !== this.told.challenge) {
      sessionStorage.setItem(tried, this.told.challenge);
      line.textContent = this.box.dataset.textHeld;
      this.holding.requestSubmit();
    }
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
    const isToShow = now.missing === 0 && !now.held && !this.holding;
    const isDue = now.missing === 0 && now.unheld === 0 && !now.handed_in && !this.form;
    const follows = ["missing", "unheld", "waiting", "opened", "version", "challenge"];
    if (isToShow || isDue || (this.box.dataset.follow === "on" && follows.some(differs))) location.reload();
  }
}
