// What a member has typed and marked, kept by this browser alone until it is handed over or signed (ADR 0067).
// One entry of local storage for each lot and seat: what is typed about each bid with the instant and with what the
// platform had then, the pages that were marked for each criterion, and which version of the sheet was signed.

const EMPTY = () => ({ bids: {}, marks: {}, signed: 0 });

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

  // Once a version is signed, nothing of it stays on this machine.
  sign(version) {
    if (version > this.all.signed) this.#write((all) => Object.assign(all, EMPTY(), { signed: version }));
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
