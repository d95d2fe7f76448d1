// The line above the text: the file, whether it is saved, and what can be done with files. A question stands below it, in
// the page: nothing is replaced before it is answered.
import { freshId, h } from "../lib/dom.js";

export class Bars {
  constructor(talk, name, actions) {
    this.talk = talk;
    this.actions = actions;
    this.saved = h("span", { class: "fk-saved", role: "status", "aria-live": "polite" });
    this.back = this.button("Start over…", () => this.askReset());
    this.top = h(
      "div",
      { class: "fk-bar" },
      h("span", { class: "fk-name" }, name),
      this.saved,
      h("span", { class: "fk-space" }),
      this.button("Load…", () => talk.ask("others")),
      this.button("Save a copy…", () => this.askCopy()),
      this.back,
    );
    this.strip = h("div", { class: "fk-strip", hidden: true });
    this.conflict = h("div", { class: "fk-strip fk-is-warning", role: "alert", hidden: true });
    this.offer = h("div", { class: "fk-strip fk-is-warning", role: "alert", hidden: true });
  }

  button(text, onclick, more = {}) {
    return h("button", { class: "fk-button", onclick, ...more }, text);
  }

  state({ judged }) {
    const { talk } = this;
    let words = "";
    if (!talk.isAlive) words = talk.isSaved ? "" : "✗ not saved: kept in this browser until you run the cell again";
    else if (talk.isSlow) words = "… not saved yet: the kernel is busy with a cell";
    else if (judged) words = judged.note === "saved" ? "✓ saved" : judged.note;
    if (this.saved.textContent !== words) this.saved.textContent = words;
    this.back.hidden = !judged?.start;
    this.showConflict(Boolean(judged?.conflict));
    this.showOffer(talk.offered !== undefined);
  }

  showConflict(isThere) {
    if (this.conflict.hidden === !isThere) return;
    this.conflict.hidden = !isThere;
    this.conflict.replaceChildren(
      h(
        "span",
        {},
        "⚠ This file was changed outside this editor. Which text is to stay? The other one is kept beside it, its name ends in ~.",
      ),
      this.button("Keep mine", () => this.talk.ask("keep")),
      this.button("Load the file", () => this.talk.ask("load")),
    );
  }
  showOffer(isThere) {
    if (this.offer.hidden === !isThere) return;
    this.offer.hidden = !isThere;
    this.offer.replaceChildren(
      h("span", {}, "⚠ You typed something here that was not saved, and the file has become another one since."),
      this.button("Put my text back", () => {
        const text = this.talk.offered;
        this.talk.dropDraft();
        this.actions.take(text);
      }),
      this.button("Forget it", () => this.talk.dropDraft()),
    );
  }

  /** A question below the bar; Escape or Cancel takes it away. */
  ask(label, parts, focus) {
    const opener = document.activeElement;
    this.close = () => {
      this.strip.hidden = true;
      this.strip.replaceChildren();
      opener?.focus?.();
    };
    this.strip.setAttribute("role", "group");
    this.strip.setAttribute("aria-label", label);
    this.strip.replaceChildren(
      ...parts,
      this.button("Cancel", () => this.close()),
    );
    this.strip.onkeydown = (event) => {
      if (event.key === "Escape") this.close();
    };
    this.strip.hidden = false;
    focus.focus();
  }
  askReset() {
    const yes = this.button(
      "Yes, start over",
      () => {
        this.close();
        this.talk.ask("reset");
      },
      { class: "fk-button fk-primary" },
    );
    this.ask(
      "Start over",
      [h("span", {}, "Go back to the start of this lesson? Your text is kept beside it, its name ends in ~."), yes],
      yes,
    );
  }
  askCopy() {
    const id = freshId("name");
    const field = h("input", {
      id,
      class: "fk-field",
      value: this.talk.model.get("name").replace(/\.bu$/, "-copy.bu"),
      spellcheck: "false",
    });
    const save = () => {
      const { value } = field;
      this.close();
      this.talk.ask("copy", { name: value });
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") save();
    });
    this.ask(
      "Save a copy",
      [
        h("label", { for: id }, "Save a copy in this folder as"),
        field,
        this.button("Save", save, { class: "fk-button fk-primary" }),
      ],
      field,
    );
  }
  /** Offer the other files of the folder. */
  askOther(names) {
    if (!names.length) return this.say("There is no other Butane file in this folder.", true);
    const id = freshId("file");
    const field = h(
      "select",
      { id, class: "fk-field" },
      names.map((name) => h("option", {}, name)),
    );
    const take = this.button(
      "Load",
      () => {
        const { value } = field;
        this.close();
        this.talk.ask("take", { name: value });
      },
      { class: "fk-button fk-primary" },
    );
    return this.ask(
      "Load from a file",
      [h("label", { for: id }, "Put the text of another file here (undo takes it back):"), field, take],
      field,
    );
  }
  say(text, ok) {
    const close = this.button("OK", () => this.close());
    this.ask("Message", [h("span", { role: "status", class: ok ? "" : "fk-bad" }, `${ok ? "" : "✗ "}${text}`)], close);
    this.strip.lastChild.textContent = "OK";
    this.strip.lastChild.focus();
  }
}
