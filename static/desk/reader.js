// Turns the pages of a bid without loading the sheet again: every link and search of the reader is fetched, and the
// reader of the answer takes the place of this one. The focus stays where it was, or goes to what was asked for.

const FOLLOW_MS = 3000;
const MOST_ZOOM = 4;

export class Reader {
  constructor(box, say) {
    this.box = box;
    this.say = say;
    this.prefix = box.dataset.reader;
    this.zoom = 1;
    this.asText = false;
    this.turns = 0;
    box.addEventListener("click", (event) => this.#click(event));
    box.addEventListener("submit", (event) => this.#submit(event));
    this.#show();
    this.#follow();
  }

  get at() {
    return this.box.dataset.at;
  }

  // How people call the page that is open: "3 / 12 plan.pdf".
  get label() {
    return (this.box.querySelector("[data-place]")?.textContent ?? "").replace(/\s+/g, " ").trim();
  }

  #click(event) {
    const link = event.target.closest("a[href]");
    const act = event.target.closest("[data-act]")?.dataset.act;
    if (act) this.act(act);
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !this.#isOwn(link)) return;
    event.preventDefault();
    this.go(link.href);
  }

  // Links to other pages of the platform, such as a file to be saved, go their own way.
  #isOwn(link) {
    const to = new URL(link.href);
    return to.origin === location.origin && to.pathname === location.pathname;
  }

  #submit(event) {
    event.preventDefault();
    const address = new URL(location.href);
    for (const [name, value] of new FormData(event.target)) address.searchParams.set(name, value);
    this.go(address.href, "[data-found]");
  }

  search(words) {
    const address = new URL(location.href);
    address.searchParams.set(`${this.prefix}q`, words);
    return this.go(address.href, "[data-found]");
  }

  open(at) {
    const address = new URL(location.href);
    address.searchParams.set(`${this.prefix}at`, at);
    return this.go(address.href);
  }

  async turn(where) {
    const link = this.box.querySelector(`a[data-turn="${where}"]`);
    if (link) await this.go(link.href);
    else this.say(this.label);
  }

  act(name) {
    if (name === "larger") this.zoom = Math.min(MOST_ZOOM, this.zoom + 1);
    if (name === "smaller") this.zoom = Math.max(1, this.zoom - 1);
    if (name === "text") this.asText = !this.asText;
    this.#show();
  }

  #show() {
    this.box.dataset.zoom = this.zoom;
    this.box.classList.toggle("as-text", this.asText);
    const tools = this.box.querySelector("[data-tools]");
    if (tools) tools.hidden = false;
    this.box.querySelector("[data-act=text]")?.setAttribute("aria-pressed", String(this.asText));
    const text = this.box.querySelector("[data-text]");
    if (text && this.asText) text.open = true;
  }

  // Several turns may be on their way: the last one is shown.
  async go(href, wanted) {
    const turn = ++this.turns;
    this.box.setAttribute("aria-busy", "true");
    const fresh = await this.#fetch(href);
    if (turn !== this.turns) return;
    this.box.removeAttribute("aria-busy");
    if (!fresh) {
      location.assign(href); // signed out, or the line is cut: the browser tells it in its own way
      return;
    }
    const focused = this.box.contains(document.activeElement) ? keyOf(document.activeElement) : null;
    const address = new URL(href);
    history.replaceState(null, "", address.pathname + address.search);
    this.#take(fresh);
    if (wanted) this.box.querySelector(wanted)?.focus();
    else if (focused !== null) this.#focus(focused);
    this.say(this.label);
  }

  async #fetch(href) {
    try {
      const answer = await fetch(href, { cache: "no-store" });
      if (!answer.ok || answer.redirected) return null;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      return page.querySelector(`[data-reader="${this.prefix}"]`);
    } catch {
      return null;
    }
  }

  #take(fresh) {
    const contents = this.box.querySelector(".contents")?.open;
    this.box.dataset.at = fresh.dataset.at;
    this.box.dataset.waiting = fresh.dataset.waiting;
    this.box.replaceChildren(...fresh.childNodes);
    if (contents !== undefined && this.box.querySelector(".contents")) this.box.querySelector(".contents").open = contents;
    this.#show();
  }

  #focus(key) {
    const same = key && this.box.querySelector(key);
    (same || this.box.querySelector(".reader-name")).focus({ preventScroll: Boolean(same) });
  }

  // While pages are being drawn, what is known of them is asked for again, and put in where nobody is.
  #follow() {
    setTimeout(async () => {
      if (this.box.dataset.waiting !== "on") return;
      const turn = this.turns;
      const fresh = document.hidden ? null : await this.#fetch(location.href);
      if (fresh && turn === this.turns) this.#refresh(fresh);
      this.#follow();
    }, FOLLOW_MS);
  }

  #refresh(fresh) {
    const appeared = !this.box.querySelector("[data-leaf]") && fresh.querySelector("[data-leaf]");
    if (appeared || !this.box.querySelector(".contents")) {
      const focused = this.box.contains(document.activeElement) ? keyOf(document.activeElement) : null;
      this.#take(fresh);
      if (focused !== null) this.#focus(focused);
      return;
    }
    for (const part of [".contents > ul", ".turning", "[data-progress]"]) {
      const [old, now] = [this.box.querySelector(part), fresh.querySelector(part)];
      if (!old || old.contains(document.activeElement) || old.outerHTML === now?.outerHTML) continue;
      if (now) old.replaceWith(now);
      else old.remove();
    }
    this.box.dataset.waiting = fresh.dataset.waiting;
  }
}

// How to find an element again in a reader that took the place of this one; "" for one that has no name.
function keyOf(element) {
  for (const name of ["data-turn", "data-act", "data-search", "data-found"]) {
    if (element.hasAttribute(name)) return `[${name}="${CSS.escape(element.getAttribute(name))}"]:not(span)`;
  }
  if (element.matches("a[href]")) return `a[href="${CSS.escape(element.getAttribute("href"))}"]`;
  return element.matches(".leaf") ? ".leaf" : "";
}
