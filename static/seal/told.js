// What the sealing pages tell, in the words that stand in the page: boxes beside the buttons, refusals in the platform's own
// words, sizes and times left.

export const main = document.querySelector("[data-sealing], [data-revealing]");
export const part = (name) => main.querySelector(`[data-${name}]`);
const words = new Map([...main.querySelector("[data-words]").content.children].map((each) => [each.dataset.word, each.textContent]));
const numbers = new Intl.NumberFormat(document.documentElement.lang);

const written = (value) => (typeof value === "number" ? numbers.format(value) : (value ?? "–"));
export const word = (code, values = {}) =>
  (words.get(code) ?? words.get("broken")).replace(/\{([a-z]+)\}/g, (_, name) => written(values[name]));

export function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}
export function say(name, kind, ...lines) {
  const box = part(name);
  box.className = `${kind}-box`;
  box.replaceChildren(...lines.map((line) => element("p", line)));
  box.hidden = lines.length === 0;
}
export const fault = (code, values = {}) => Object.assign(new Error(code), { code, values });

// What went wrong, in the words of the page: of a refusal of the platform, its own.
export function reason({ code, values = {} }) {
  if (code === "refused") return values.content[document.documentElement.lang.startsWith("zh") ? "zh" : "en"] ?? word("unanswered");
  if (code === "cut") return word("cut", { ...values, percent: percent(values.confirmed, values.size) });
  return word(code, values);
}

// An act of a button: not twice at once, and what fails is said beside it.
export function when(button, box, act) {
  part(button)?.addEventListener("click", async () => {
    if (part(button).ariaDisabled === "true") return;
    part(button).ariaDisabled = "true";
    try {
      await act();
    } catch (error) {
      say(box, "stop", reason(error));
      part(box).focus();
    } finally {
      part(button).ariaDisabled = "false";
    }
  });
}
export function open(name) {
  const step = part(name);
  step.hidden = false;
  step.querySelector("h2").focus();
}

// Never 100 before all is there.
export const percent = (done, size) => `${Math.floor((100 * done) / size)}%`;

// Hours, minutes and seconds of a time that nobody knows more exactly.
export function lasting(seconds) {
  const whole = Math.ceil(seconds), two = (value) => String(value).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

export function received(box, { content }) {
  const isLogged = content.state !== "acknowledged", at = new Date(content.received_at).toISOString();
  say(box, "done", word(isLogged ? "received" : "acknowledged", { at, n: content.n }));
}

// A file for the person to keep.
export function saveLink(text, name, blob) {
  const link = element("a", text);
  link.href = URL.createObjectURL(blob);
  link.download = name;
  return link;
}
