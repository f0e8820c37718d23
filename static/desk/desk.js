// The scoring desk put together: readers, the sheet, marks, tabs on narrow screens, keys.
import { Drafts } from "./drafts.js";
import { Handing } from "./handing.js";
import { listen } from "./keys.js";
import { Moving } from "./moving.js";
import { Reader } from "./reader.js";
import { Sheet } from "./sheet.js";
import { Signing } from "./signing.js";

const NARROW = matchMedia("(max-width: 62em)");

class Desk {
  constructor(root) {
    this.root = root;
    this.drafts = new Drafts(root.dataset.store ?? "mingbiao.sheet");
    const status = document.querySelector("[data-say]");
    this.say = (words) => { if (status) status.textContent = words; };
    this.readers = [...root.querySelectorAll("[data-reader]")].map((box) => new Reader(box, this.say));
    const form = root.querySelector("form[data-sheet]");
    if (form) this.#score(form);
    this.#compareOwn();
    this.#tabs();
    if (document.querySelector("[data-keys]")) listen(this);
  }

  // The reader that has the focus, else the first.
  get reader() {
    return this.readers.find((each) => each.box.contains(document.activeElement)) ?? this.readers[0];
  }

  #score(form) {
    document.querySelector("[data-unscripted]")?.remove();
    this.sheet = new Sheet(this.root, form, this.drafts);
    this.submit = form.querySelector(".actions button");
    for (const criterion of this.sheet.criteria) {
      const box = criterion.box.querySelector("[data-marks]");
      box.hidden = false;
      box.querySelector("[data-mark]").addEventListener("click", () => this.mark(criterion));
      box.querySelector("[data-marked-go]").addEventListener("click", () => this.marked(criterion));
      this.#showMarks(criterion);
    }
  }

  async turn(where) {
    this.#tab("bid");
    await this.reader.turn(where);
    if (this.sheet) for (const each of this.sheet.criteria) this.#showMarks(each);
  }

  search() {
    this.#tab("bid");
    this.reader.box.querySelector("[data-search]")?.focus();
  }

  onScores(act) {
    this.#tab("scores");
    act();
  }

  // ---- marks: which pages of the bid speak to a criterion

  mark(criterion = this.sheet.current) {
    if (!this.readers[0].at) return;
    this.drafts.mark(this.sheet.bid, criterion.id, { at: this.readers[0].at, label: this.readers[0].label });
    this.#showMarks(criterion);
    const text = criterion.box.querySelector("[data-marked]").textContent.trim();
    this.say(`${criterion.box.dataset.title}: ${text || this.sheet.text.textUnmarked}`);
  }

  async marked(criterion = this.sheet.current) {
    const marks = this.drafts.marks(this.sheet.bid, criterion.id);
    this.sheet.last = criterion;
    this.#tab("bid");
    if (!marks.length) return this.readers[0].search(criterion.box.dataset.title);
    const place = marks.findIndex((each) => each.at === this.readers[0].at);
    await this.readers[0].open(marks[(place + 1) % marks.length].at);
    this.#showMarks(criterion);
    this.readers[0].box.querySelector(".reader-name").focus({ preventScroll: true });
    return undefined;
  }

  #showMarks(criterion) {
    const list = criterion.box.querySelector("[data-marked]");
    const held = list.contains(document.activeElement) ? document.activeElement.dataset.at : null;
    const marks = this.drafts.marks(this.sheet.bid, criterion.id);
    list.replaceChildren(...marks.map((mark) => this.#chip(mark)));
    if (held) (list.querySelector(`[data-at="${CSS.escape(held)}"]`) ?? criterion.box).focus();
    const isMarked = marks.some((each) => each.at === this.readers[0].at);
    criterion.box.querySelector("[data-mark]").setAttribute("aria-pressed", String(isMarked));
  }

  #chip(mark) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet mark";
    button.dataset.at = mark.at;
    button.textContent = mark.label;
    if (mark.at === this.readers[0].at) button.setAttribute("aria-current", "page");
    button.addEventListener("click", async () => {
      this.#tab("bid");
      await this.readers[0].open(mark.at);
      for (const each of this.sheet.criteria) this.#showMarks(each);
    });
    return button;
  }

  compare() {
    const link = this.sheet.current.box.querySelector("a[data-compare]");
    if (link) location.assign(link.href);
  }

  // Beside each other: what this machine has of both bids stands before what was handed in.
  #compareOwn() {
    for (const box of this.root.querySelectorAll("[data-own-score]")) {
      const cell = this.drafts.typed(box.dataset.bid)?.cells[box.dataset.criterion];
      if (!cell) continue;
      box.querySelector("[data-own-points]").textContent = cell.points || "–";
      box.querySelector("[data-own-comment]").textContent = cell.comment;
    }
  }

  // ---- tabs on narrow screens: one of the two halves at a time

  #tabs() {
    const list = this.root.querySelector("[data-tabs]");
    if (!list) return;
    this.tabs = [...list.querySelectorAll("button")];
    const arrange = () => {
      list.hidden = !NARROW.matches;
      for (const tab of this.tabs) {
        const panel = document.getElementById(tab.getAttribute("aria-controls"));
        panel.toggleAttribute("data-panel", NARROW.matches);
        for (const [name, value] of [["role", "tabpanel"], ["aria-labelledby", tab.id]]) {
          if (NARROW.matches) panel.setAttribute(name, value);
          else panel.removeAttribute(name);
        }
      }
      this.#tab(this.tab ?? "scores");
    };
    for (const tab of this.tabs) {
      tab.addEventListener("click", () => this.#tab(tab.dataset.tab));
      tab.addEventListener("keydown", (event) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        const other = this.tabs.find((each) => each !== tab);
        this.#tab(other.dataset.tab);
        other.focus();
      });
    }
    NARROW.addEventListener("change", arrange);
    arrange();
  }

  #tab(name) {
    this.tab = name;
    for (const tab of this.tabs ?? []) {
      const isOn = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", String(isOn));
      tab.tabIndex = isOn ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = NARROW.matches && !isOn;
    }
  }
}

for (const box of document.querySelectorAll("[data-handing]")) new Handing(box, new Drafts(box.dataset.store));
const signing = document.querySelector("form[data-task]");
if (signing) new Signing(signing, new Drafts(signing.dataset.store));
const moving = document.querySelector("[data-moving]");
if (moving) new Moving(moving, new Drafts(moving.dataset.store));
const root = document.querySelector("[data-desk]");
if (root) new Desk(root);
