// @ts-check
// The line above the text: the file, whether it is saved, and what can be done with files. A question appears below
// it, in the page: nothing is replaced before it is answered.
import { makeButton } from "../lib/card.js";
import { freshId, h, say } from "../lib/dom.js";

const PRIMARY = { class: "fk-button fk-primary" };
const CONFLICT =
  "⚠ This file was changed outside this editor. Which text do you want to keep? The other one is kept beside it, " +
  "its name ends in ~.";
const OFFER = "⚠ You typed something here that was not saved, and the file has changed since.";
const RESET = "Go back to the start of this lesson? Your text is kept beside it, its name ends in ~.";

export class Bars {
  close = () => {};

  /**
   * @param {import("./talk.js").Talk} talk
   * @param {string} name
   * @param {(text: string) => void} take puts a text into the editor
   */
  constructor(talk, name, take) {
    this.talk = talk;
    this.name = name;
    this.saved = h("span", { class: "fk-saved", role: "status", "aria-live": "polite" });
    this.back = makeButton("Start over…", () => this.askReset());
    this.top = h(
      "div",
      { class: "fk-bar" },
      h("span", { class: "fk-name" }, name),
      this.saved,
      h("span", { class: "fk-space" }),
      makeButton("Load…", () => talk.ask("others")),
      makeButton("Save a copy…", () => this.askCopy()),
      this.back,
    );
    this.strip = h("div", { class: "fk-strip", hidden: true });
    const warning = { class: "fk-strip fk-is-warning", role: "alert", hidden: true };
    this.conflict = h("div", warning);
    this.offer = h("div", warning);
    this.conflictParts = [
      h("span", {}, CONFLICT),
      makeButton("Keep mine", () => talk.ask("keep")),
      makeButton("Load the file", () => talk.ask("load")),
    ];
    const putBack = () => {
      const text = talk.offered;
      talk.dropDraft();
      if (text !== undefined) take(text);
    };
    this.offerParts = [
      h("span", {}, OFFER),
      makeButton("Put my text back", putBack),
      makeButton("Forget it", () => talk.dropDraft()),
    ];
  }

  draw() {
    const { checked } = this.talk.last;
    say(this.saved, this.savedWords());
    this.back.hidden = !checked?.start;
    warn(this.conflict, this.conflictParts, Boolean(checked?.conflict));
    warn(this.offer, this.offerParts, this.talk.offered !== undefined);
  }

  savedWords() {
    const { talk } = this;
    const { checked } = talk.last;
    if (!talk.isAlive) return talk.isSaved ? "" : "✗ not saved: kept in this browser until you run the cell again";
    if (talk.isSlow) return "… not saved yet: the kernel is busy with a cell";
    if (!checked) return "";
    if (!talk.isSaved) return "…"; // what was said is about an earlier text
    return checked.note === "saved" ? "✓ saved" : checked.note;
  }

  /**
   * A question below the bar; Escape or the last button takes it away.
   * @param {string} label
   * @param {(Node | string)[]} parts
   * @param {object} [options]
   * @param {HTMLElement} [options.focus]
   * @param {string} [options.last]
   */
  ask(label, parts, { focus, last = "Cancel" } = {}) {
    const opener = /** @type {HTMLElement | null} */ (document.activeElement);
    this.close = () => {
      this.strip.hidden = true;
      this.strip.replaceChildren();
      opener?.focus();
    };
    const cancel = makeButton(last, () => this.close());
    this.strip.setAttribute("role", "group");
    this.strip.setAttribute("aria-label", label);
    this.strip.replaceChildren(...parts, cancel);
    this.strip.onkeydown = (event) => {
      if (event.key === "Escape") this.close();
    };
    this.strip.hidden = false;
    (focus ?? cancel).focus();
  }

  /**
   * A question with a field, and the button that answers it.
   * @param {string} label
   * @param {{ words: string, field: HTMLInputElement | HTMLSelectElement, button: string, verb: string }} question
   */
  askFor(label, { words, field, button, verb }) {
    field.id = freshId("field");
    field.className = "fk-field";
    const answer = () => {
      const { value } = field;
      this.close();
      this.talk.ask(verb, { name: value });
    };
    const isInput = field instanceof HTMLInputElement;
    field.onkeydown = (event) => {
      if (isInput && event.key === "Enter") answer();
    };
    const parts = [h("label", { for: field.id }, words), field, makeButton(button, answer, PRIMARY)];
    this.ask(label, parts, { focus: field });
  }

  askReset() {
    const reset = () => {
      this.close();
      this.talk.ask("reset");
    };
    const yes = makeButton("Yes, start over", reset, PRIMARY);
    this.ask("Start over", [h("span", {}, RESET), yes], { focus: yes });
  }

  askCopy() {
    const field = h("input", { value: this.name.replace(/\.bu$/, "-copy.bu"), spellcheck: "false" });
    this.askFor("Save a copy", { words: "Save a copy in this folder as", field, button: "Save", verb: "copy" });
  }

  /**
   * Offer the other files of the folder.
   * @param {string[]} names
   */
  askOther(names) {
    if (!names.length) {
      this.say("There is no other Butane file in this folder.", true);
      return;
    }
    const words = "Put the text of another file here (undo takes it back):";
    const options = names.map((name) => h("option", {}, name));
    this.askFor("Load from a file", { words, field: h("select", {}, options), button: "Load", verb: "take" });
  }

  /**
   * @param {string} text
   * @param {boolean} ok
   */
  say(text, ok) {
    const message = h("span", { role: "status", class: ok ? "" : "fk-bad" }, `${ok ? "" : "✗ "}${text}`);
    this.ask("Message", [message], { last: "OK" });
  }
}

/**
 * Show or hide a warning. It is filled when it appears, so that a screen reader announces it.
 * @param {HTMLElement} strip
 * @param {Node[]} parts
 * @param {boolean} isThere
 */
function warn(strip, parts, isThere) {
  if (strip.hidden === !isThere) return;
  strip.hidden = !isThere;
  strip.replaceChildren(...(isThere ? parts : []));
}
