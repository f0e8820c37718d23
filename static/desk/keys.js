// The desk by keys. Single keys work outside of fields alone and can be switched off (WCAG 2.1.4); every act is also a
// link, a button or a field, so nothing depends on them.

const TYPING = "input:not([type=radio]):not([type=checkbox]):not([type=button]), textarea, select";

export function listen(desk) {
  const list = document.querySelector("[data-keys]");
  const single = list.querySelector("[data-single]");
  list.hidden = false;
  single.checked = desk.drafts.single();
  single.addEventListener("change", () => desk.drafts.single(single.checked));

  const acts = {
    n: () => desk.turn("behind"),
    p: () => desk.turn("before"),
    t: () => desk.reader.act("text"),
    "+": () => desk.reader.act("larger"),
    "=": () => desk.reader.act("larger"),
    "-": () => desk.reader.act("smaller"),
    "/": () => desk.search(),
    "?": () => { list.open = true; list.querySelector("summary").focus(); },
    ...(desk.sheet && {
      j: () => desk.onScores(() => desk.sheet.move(1)),
      k: () => desk.onScores(() => desk.sheet.move(-1)),
      e: () => desk.onScores(() => desk.sheet.current.enter()),
      m: () => desk.mark(),
      g: () => desk.marked(),
      c: () => desk.compare(),
      s: () => desk.sheet.form.requestSubmit(),
    }),
  };

  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (desk.sheet && inField(event, desk)) return;
    if (event.ctrlKey || !single.checked || event.target.closest(TYPING) || !desk.reader) return;
    const digit = desk.sheet && /^[1-9]$/.test(event.key) ? Number(event.key) : 0;
    if (digit && digit <= desk.sheet.criteria.length) desk.onScores(() => desk.sheet.criteria[digit - 1].enter());
    else if (acts[event.key.toLowerCase()]) acts[event.key.toLowerCase()]();
    else return;
    event.preventDefault();
  });
}

// Keys of the sheet's own fields; true if it was one.
function inField(event, desk) {
  if (event.ctrlKey && event.key === "Enter" && desk.sheet.form.contains(event.target)) {
    event.preventDefault();
    desk.sheet.form.requestSubmit();
    return true;
  }
  const criterion = desk.sheet.criteria.find((each) => each.box.contains(event.target));
  if (!criterion || event.ctrlKey || event.shiftKey || !event.target.matches("input")) return false;
  const isPoints = criterion.fields.includes(event.target);
  const act = {
    Enter: () => desk.sheet.criteria[desk.sheet.criteria.indexOf(criterion) + 1]?.enter() ?? desk.submit.focus(),
    Escape: () => criterion.box.focus(),
    PageDown: () => desk.turn("behind"),
    PageUp: () => desk.turn("before"),
    ...(isPoints && !criterion.isObjective && { ArrowUp: () => criterion.nudge(1), ArrowDown: () => criterion.nudge(-1) }),
  }[event.key];
  if (!act) return false;
  event.preventDefault();
  act();
  return true;
}
