// To another machine: all that this one keeps of a lot as a file, locked by a passphrase if one is given, and back.
const LOCKED = ".age";

export class Moving {
  constructor(box, drafts) {
    this.box = box;
    this.drafts = drafts;
    this.pass = box.querySelector("[data-pass]");
    box.hidden = false;
    box.querySelector("[data-save]").addEventListener("click", () => this.#save());
    box.querySelector("[data-load]").addEventListener("change", (event) => this.#load(event.target.files[0]));
  }

  #say(words) {
    this.box.querySelector("[data-moving-say]").textContent = words;
  }

  async #save() {
    let data = new TextEncoder().encode(this.drafts.written());
    const pass = this.pass.value;
    if (pass) data = await (await import("../seal/package.js")).lock(data, pass);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([data]));
    link.download = `${this.drafts.name}.json${pass ? LOCKED : ""}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    this.pass.value = "";
    this.#say(pass ? this.box.dataset.textLocked : this.box.dataset.textPlain);
  }

  async #load(file) {
    try {
      let data = new Uint8Array(await file.arrayBuffer());
      if (file.name.endsWith(LOCKED)) data = await (await import("../seal/package.js")).unlock(data, this.pass.value);
      if (this.drafts.take(new TextDecoder().decode(data))) return location.reload();
    } catch {
      // Told below: a file of something else, a wrong passphrase, or damage all end here.
    }
    return this.#say(this.box.dataset.textWrong);
  }
}
