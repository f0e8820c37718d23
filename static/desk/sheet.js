// The criteria of one bid: an error at once in the words of the platform, points and totals in exact hundredths, and
// everything typed kept on this machine from key to key, and sent nowhere.

const POINTS = /^[0-9]{1,3}(?:\.[0-9]{1,2})?$/;
const TYPED = "…typed…";
const PAUSE_MS = 600;

// Points as hundredths, null if it is no number of this form.
export function hundredths(text) {
  if (!POINTS.test(text)) return null;
  const [whole, fraction = ""] = text.split(".");
  return Number(whole) * 100 + Number(fraction.padEnd(2, "0"));
}

export function decimal(value) {
  return `${Math.floor(value / 100)}.${String(value % 100).padStart(2, "0")}`.replace(/\.?0+$/, "");
}

// One criterion of the page.
class Criterion {
  constructor(box, changed) {
    this.box = box;
    this.id = box.dataset.criterion;
    this.isObjective = box.dataset.kind === "objective";
    this.most = hundredths(box.dataset.max);
    this.step = hundredths(box.dataset.step);
    this.fields = [...box.querySelectorAll(`[name="points_${this.id}"]`)];
    this.comment = box.querySelector(`[name="comment_${this.id}"]`);
    box.addEventListener("input", (event) => {
      changed();
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.check(false), event.target.type === "radio" ? 0 : PAUSE_MS);
    });
    box.addEventListener("change", () => this.check(false));
    box.addEventListener("focusout", (event) => box.contains(event.relatedTarget) || this.check(true));
  }

  get points() {
    return this.isObjective ? this.fields.find((each) => each.checked)?.value ?? "" : this.fields[0].value.trim();
  }

  get cell() {
    return { points: this.points, comment: this.comment.value.trim() };
  }

  fill(cell) {
    if (this.isObjective) for (const each of this.fields) each.checked = each.value === cell.points;
    else this.fields[0].value = cell.points;
    this.comment.value = cell.comment;
    this.check(true);
  }

  // The points in hundredths, null if there are none that count.
  get value() {
    const value = hundredths(this.points);
    if (value === null || this.isObjective) return value;
    return value <= this.most && value % this.step === 0 ? value : null;
  }

  // Say what is wrong; that a comment lacks is said when the criterion is left, not while it is being typed.
  check(isLeft) {
    clearTimeout(this.timer);
    const wrong = this.points !== "" && this.value === null;
    this.#tell(this.fields[0], wrong ? this.box.dataset.wrongPoints.replace(TYPED, this.points.slice(0, 20)) : "");
    const isExtreme = !this.isObjective && (this.value === 0 || this.value === this.most);
    const lacks = isExtreme && !this.comment.value.trim();
    if (isLeft || !lacks) this.#tell(this.comment, lacks ? this.box.dataset.wrongComment : "");
    this.box.dispatchEvent(new CustomEvent("checked", { bubbles: true }));
  }

  #tell(field, message) {
    const group = this.isObjective && field !== this.comment ? field.closest("fieldset.field") : field.closest(".field");
    const id = `${field === this.comment ? "comment" : "points"}_${this.id}-error`;
    let line = document.getElementById(id);
    if ((line?.dataset.message ?? "") === message && Boolean(line) === Boolean(message)) return;
    line?.remove();
    group.classList.toggle("field-wrong", Boolean(message));
    const described = (field.getAttribute("aria-describedby") ?? "").split(" ").filter((each) => each && each !== id);
    if (message) {
      line = document.createElement("p");
      line.className = "field-error";
      line.id = id;
      line.dataset.message = message;
      line.setAttribute("role", "alert");
      line.textContent = message;
      field.type === "radio" ? field.closest(".tick").before(line) : field.before(line);
      field.setAttribute("aria-invalid", "true");
      described.push(id);
    } else field.removeAttribute("aria-invalid");
    if (described.length) field.setAttribute("aria-describedby", described.join(" "));
    else field.removeAttribute("aria-describedby");
  }

  // One step more or less, within the range.
  nudge(steps) {
    const now = this.value ?? 0;
    const next = Math.min(this.most, Math.max(0, now + steps * this.step));
    this.fields[0].value = decimal(next);
    this.fields[0].dispatchEvent(new Event("input", { bubbles: true }));
  }

  enter() {
    (this.fields.find((each) => each.checked) ?? this.fields[0]).focus();
  }
}

export class Sheet {
  constructor(root, form, drafts) {
    this.root = root;
    this.form = form;
    this.drafts = drafts;
    this.bid = root.dataset.bid;
    this.text = form.dataset;
    this.criteria = [...form.querySelectorAll("[data-criterion]")].map((box) => new Criterion(box, () => this.#keep()));
    form.reset(); // some browsers put typed values back by themselves; what the platform has is what the page came with
    this.base = JSON.stringify(this.cells);
    form.addEventListener("checked", () => this.#sum());
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#goOn(); });
    this.#restore();
    this.#sum();
  }

  get cells() {
    return Object.fromEntries(this.criteria.map((each) => [each.id, each.cell]));
  }

  // The criterion that has the focus, or had it last.
  get current() {
    const at = this.criteria.find((each) => each.box.contains(document.activeElement));
    if (at) this.last = at;
    return this.last ?? this.criteria[0];
  }

  move(step) {
    const place = this.criteria.indexOf(this.current) + (this.last || step < 0 ? step : 0);
    this.show(Math.min(this.criteria.length - 1, Math.max(0, place)));
  }

  show(place) {
    this.last = this.criteria[place];
    this.last.box.focus();
  }

  // On to the next bid, unless something that was typed is wrong; what is missing may come later.
  #goOn() {
    for (const each of this.criteria) each.check(true);
    const wrong = this.form.querySelector("[aria-invalid]");
    if (wrong) return wrong.focus();
    return location.assign(this.text.next);
  }

  #keep() {
    const at = Date.now();
    const kept = this.drafts.type(this.bid, this.cells, this.base, at);
    this.#say(kept ? this.text.textSaved.replace("…", clock(at)) : this.text.textLost);
    this.#sum();
  }

  // What this machine has and was not handed in: put back, unless something else was handed in since.
  #restore() {
    const kept = this.drafts.typed(this.bid);
    if (!kept) return this.#say(this.drafts.keeps ? this.text.textIdle : this.text.textLost);
    if (JSON.stringify(kept.cells) === this.base) {
      this.drafts.forget(this.bid);
      return this.#say(this.text.textIdle);
    }
    if (kept.base !== this.base) {
      const offer = this.form.querySelector("[data-offer]");
      offer.querySelector("[data-offer-text]").textContent = this.text.textOther.replace("…", clock(kept.at));
      offer.querySelector("button").addEventListener("click", () => { this.#fill(kept); offer.hidden = true; this.#keep(); });
      offer.hidden = false;
      return this.#say(this.text.textIdle);
    }
    this.#fill(kept);
    return this.#say(this.text.textRestored.replace("…", clock(kept.at)));
  }

  #fill(kept) {
    for (const each of this.criteria) if (kept.cells[each.id]) each.fill(kept.cells[each.id]);
  }

  #say(words) {
    this.form.querySelector("[data-saved]").textContent = words;
  }

  #sum() {
    let total = 0;
    let counted = 0;
    for (const each of this.criteria) {
      total += each.value ?? 0;
      counted += each.value === null ? 0 : 1;
      each.box.querySelector("[data-points]").textContent = each.value === null ? "–" : decimal(each.value);
    }
    this.root.querySelector("[data-total]").textContent = decimal(total) || "0";
    this.root.querySelector("[data-counted]").textContent = this.text.textCounted.replace("…", counted).replace("…", this.criteria.length);
  }
}

function clock(at) {
  return new Date(at).toLocaleTimeString("zh-CN", { hour12: false });
}
