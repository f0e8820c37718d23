// What a member has typed, marked and signed, kept by this browser alone until it is handed in (ADR 0067, 0070).
// One entry of local storage for each lot and seat: what is typed about each bid with the instant and with what the
// platform had then, the pages that were marked for each criterion, the sheets that were signed, by their digest, and which
// version was handed in.

const EMPTY = () => ({ bids: {}, marks: {}, sheets: {}, closed: 0 });

export class Drafts {
  // Private windows and full disks refuse: then `keeps` is false, and the page says that nothing is kept by itself.
  constructor(name) {
    this.name = name;
    this.keeps = true;
    this.all = this.#read();
  }

  #read() {
    try {
      const found = JSON.parse(localStorage.getItem(this.name) ?? "null");
      return found && typeof found === "object" ? { ...EMPTY(), ...found } : EMPTY();
    } catch {
      return EMPTY();
    }
  }

  // Another window may have written since: only what this one knows better is put over it.
  #write(change) {
    this.all = this.#read();
    change(this.all);
    try {
      localStorage.setItem(this.name, JSON.stringify(this.all));
      this.keeps = true;
    } catch {
      this.keeps = false;
    }
    return this.keeps;
  }

  typed(bid) {
    return this.all.bids[bid] ?? null;
  }

  type(bid, cells, base, at) {
    return this.#write((all) => (all.bids[bid] = { cells, base, at }));
  }

  forget(bid) {
    if (bid in this.all.bids) this.#write((all) => delete all.bids[bid]);
  }

  marks(bid, criterion) {
    return this.all.marks[bid]?.[criterion] ?? [];
  }

  // A mark is {at, label}: the name of a page and how people call it. Marking it again takes it away.
  mark(bid, criterion, mark) {
    this.#write((all) => {
      const of = (all.marks[bid] ??= {});
      const before = of[criterion] ?? [];
      const others = before.filter((each) => each.at !== mark.at);
      of[criterion] = others.length < before.length ? others : [...before, mark];
    });
  }

  // The document of a signature lies here before its digest is sent: without it nothing can be handed in.
  keep(commit, text) {
    return this.#write((all) => (all.sheets[commit] = text)) && this.#read().sheets[commit] === text;
  }

  sheet(commit) {
    return this.#read().sheets[commit] ?? null;
  }

  // Once a version is handed in, nothing of it stays on this machine.
  close(version) {
    if (version > this.all.closed) this.#write((all) => Object.assign(all, EMPTY(), { closed: version }));
  }

  // All of it as text, for another machine, and back again.
  written() {
    return JSON.stringify({ all: this.#read(), name: this.name, typ: "mingbiao.desk" });
  }

  take(text) {
    const found = JSON.parse(text);
    if (found.typ !== "mingbiao.desk" || found.name !== this.name || typeof found.all !== "object") return false;
    return this.#write((all) => Object.assign(all, EMPTY(), found.all));
  }

  single(wanted) {
    try {
      if (wanted !== undefined) localStorage.setItem("mingbiao.single-keys", wanted ? "on" : "off");
      return localStorage.getItem("mingbiao.single-keys") !== "off";
    } catch {
      return wanted ?? true;
    }
  }
}
