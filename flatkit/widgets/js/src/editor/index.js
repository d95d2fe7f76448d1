// @ts-check
// The Butane editor: the text on the left; on the right what it becomes, what that does, and what has changed.
import { autocompletion, closeCompletion, completionKeymap, completionStatus } from "@codemirror/autocomplete";
import { yaml } from "@codemirror/lang-yaml";
import { linter, lintGutter } from "@codemirror/lint";
import { searchPanelOpen } from "@codemirror/search";
import { Annotation, EditorState } from "@codemirror/state";
import { EditorView, hoverTooltip } from "@codemirror/view";
import { makeRoot, stateOf } from "../lib/card.js";
import { h, say } from "../lib/dom.js";
import { Bars } from "./bars.js";
import { drawChanges, drawExplanation } from "./pages.js";
import { lightUp, pane } from "./pane.js";
import { lastLineOf, linesOf, smallestChange } from "./places.js";
import { Preview } from "./preview.js";
import { fixed, Problems } from "./problems.js";
import { Schema } from "./schema.js";
import { SplitTabs } from "./split.js";
import { Talk } from "./talk.js";

/** @typedef {import("../lib/card.js").Model<import("../state").EditorState>} Model */

// A change from outside this view, so that it is not sent.
/** @type {import("@codemirror/state").AnnotationType<boolean>} */
const fromOutside = Annotation.define();

const HELP = "F8 next problem · Ctrl+Space complete · Ctrl+F search · Esc leaves the editor";
const LEFT = "You left the text: Tab goes on, Enter goes back";
const LINES = { least: 10, most: 25 };

/**
 * How many faults, warnings and pieces of advice, in words.
 * @param {import("../state").EntryState[]} report
 */
function countInWords(report) {
  const kinds = { error: ["fault", "faults"], warning: ["warning", "warnings"], info: ["advice", "pieces of advice"] };
  const words = Object.entries(kinds).map(([kind, [one, several]]) => {
    const count = report.filter((entry) => entry.kind === kind).length;
    return count && `${count} ${count > 1 ? several : one}`;
  });
  return words.filter(Boolean).join(", ");
}

class Editor {
  lines = 0;
  /** @type {(() => void)[]} */
  endings = [];

  /**
   * @param {Model} model
   * @param {HTMLElement} el
   * @param {Talk} talk
   */
  constructor(model, el, talk) {
    const { name, schema } = stateOf(model);
    this.talk = talk;
    this.schema = new Schema(schema);
    this.root = makeRoot(el, model, "editor");
    this.root.setAttribute("aria-label", `Editor for ${name}`);
    this.spoken = h("div", { class: "fk-unseen", role: "status", "aria-live": "polite" });
    this.verdict = h("span", { class: "fk-verdict", role: "status", "aria-live": "polite" });
    this.about = h("div", { class: "fk-about-line" });
    /** @type {import("@codemirror/view").KeyBinding[]} */
    const keys = [
      { key: "F8", run: () => this.problems.step(1), shift: () => this.problems.step(-1) },
      { key: "Mod-s", run: () => this.tell(talk.isSaved ? "Saved" : "Not saved yet") },
      { key: "Escape", run: (view) => this.leave(view) },
    ];
    this.view = this.makeText(name, keys);
    this.problems = new Problems(this.view, (text) => this.tell(text));
    this.preview = new Preview({ keys, lightSource: (origin) => this.lightText(origin) });
    this.bars = new Bars(talk, name, (text) => this.take(text));
    this.gate = this.makeGate();
    this.explanation = h("div", { class: "fk-page", tabindex: "0" });
    this.changes = h("div", { class: "fk-page", tabindex: "0" });
    this.tabs = this.layOut();
    this.grow();
    this.tabs.follow(this.root);
    this.listen();
    this.catchUp();
  }

  /**
   * @param {string} name
   * @param {import("@codemirror/view").KeyBinding[]} keys
   */
  makeText(name, keys) {
    const extensions = [
      pane({ label: `Butane config ${name}`, language: yaml(), keys: [...keys, ...completionKeymap] }),
      EditorState.lineSeparator.of(this.talk.text.includes("\r\n") ? "\r\n" : "\n"),
      lintGutter(),
      linter(null),
      fixed,
      autocompletion({ override: [this.schema.complete], icons: false, maxRenderedOptions: 60 }),
      hoverTooltip(this.schema.hover),
      EditorView.updateListener.of((update) => this.updated(update)),
    ];
    return new EditorView({ doc: this.talk.text, extensions });
  }

  /** Where the focus goes when the user leaves the text: Tab is indentation inside it. */
  makeGate() {
    const attributes = { class: "fk-gate", tabindex: "-1", role: "group", "aria-label": LEFT };
    const gate = h("div", attributes, LEFT);
    gate.onkeydown = (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.view.focus();
    };
    return gate;
  }

  layOut() {
    const text = h("div", { class: "fk-text" }, this.view.dom, this.gate, this.about);
    const tabs = new SplitTabs({
      label: "Views of this config",
      pages: [
        { name: "butane", title: "Butane", element: text },
        { name: "ignition", title: "Ignition", element: this.preview.element },
        { name: "explain", title: "Explain", element: this.explanation },
        { name: "changes", title: "Changes", element: this.changes },
      ],
      onShow: (name) => {
        if (name !== "butane") this.talk.show(name);
        this.view.requestMeasure();
      },
    });
    const { top, strip, conflict, offer } = this.bars;
    const side = h("div", { class: "fk-side" }, tabs.bar, this.preview.element, this.explanation, this.changes);
    const body = h("div", { class: "fk-body" }, text, side);
    const foot = h("div", { class: "fk-foot" }, this.verdict, h("span", { class: "fk-help" }, HELP));
    this.root.append(top, strip, conflict, offer, body, foot, this.problems.list, this.spoken);
    return tabs;
  }

  listen() {
    // Another program may have written the file while the user was elsewhere.
    this.root.addEventListener("focusin", ({ relatedTarget }) => {
      if (!this.root.contains(/** @type {Node | null} */ (relatedTarget))) this.talk.ask("look");
    });
    /**
     * @param {string} kind
     * @param {(message: any) => void} act
     */
    const on = (kind, act) => {
      /** @param {Event} event */
      const listener = (event) => act(/** @type {CustomEvent} */ (event).detail);
      this.talk.addEventListener(kind, listener);
      this.endings.push(() => this.talk.removeEventListener(kind, listener));
    };
    /**
     * @param {string} kind
     * @param {(message: any) => void} act
     */
    const onNear = (kind, act) => on(kind, (message) => this.isNear() && act(message));
    on("text", ({ from }) => from !== this && this.follow(this.talk.text));
    on("checked", (checked) => this.checked(checked));
    on("became", (became) => this.became(became));
    on("state", () => this.state());
    onNear("others", ({ names }) => this.bars.askOther(names));
    onNear("said", ({ text, ok }) => this.bars.say(text, ok));
    onNear("take", ({ text, name }) => {
      this.take(text);
      this.tell(`The text of ${name} is here now`);
    });
  }

  /** Whether the user is in this view, of several on the page. */
  isNear() {
    return this.root.contains(document.activeElement) || this.root === document.querySelector(".fk-editor");
  }

  catchUp() {
    const { checked, became } = this.talk.last;
    if (checked?.seq === this.talk.seq) this.checked(checked);
    if (became?.seq === this.talk.seq) this.became(became);
    if (this.talk.cameBack) this.tell("What you typed while the kernel was away is back");
    this.state();
  }

  /** @param {import("@codemirror/view").ViewUpdate} update */
  updated(update) {
    const isOwn = update.docChanged && !update.transactions.every((one) => one.annotation(fromOutside));
    if (isOwn) this.talk.edit(update.state.sliceDoc(), this);
    if (update.docChanged) this.grow();
    if (update.selectionSet || update.docChanged) this.atCursor();
  }

  /** As high as its text, within bounds; it grows and never shrinks, so that the page does not jump. */
  grow() {
    const lines = Math.max(LINES.least, Math.min(LINES.most, this.view.state.doc.lines + 1));
    if (lines <= this.lines) return;
    this.lines = lines;
    this.root.style.setProperty("--fk-lines", String(lines));
  }

  /**
   * Put another text in: only the part that differs changes, and nothing is sent.
   * @param {string} text
   */
  follow(text) {
    const change = smallestChange(this.view.state.sliceDoc(), text);
    if (change) this.view.dispatch({ changes: change, annotations: fromOutside.of(true) });
  }

  /**
   * Put another text in as the user's own change: it can be undone.
   * @param {string} text
   */
  take(text) {
    const change = smallestChange(this.view.state.sliceDoc(), text);
    if (change) this.view.dispatch({ changes: change, userEvent: "input.paste" });
    this.view.focus();
  }

  /** @param {import("../state").CheckedMessage} message */
  checked({ report, ok, ignition, seq }) {
    this.problems.show(report);
    const found = countInWords(report);
    const becomes = `✓ Becomes Ignition ${ignition}${found && ` · ${found}`}`;
    say(this.verdict, ok ? becomes : `✗ ${found}: no machine can be made from this yet`);
    this.verdict.className = `fk-verdict ${ok ? "fk-ok" : "fk-bad"}`;
    this.mark("checked", seq);
  }

  /** @param {import("../state").BecameMessage} message */
  became({ json, origins, more, seq }) {
    this.preview.show(json, origins);
    if (more.explain) drawExplanation(this.explanation, more, json !== undefined, (line) => this.goTo(line));
    if (more.start || more.solution) drawChanges(this.changes, more);
    this.atCursor();
    this.mark("became", seq);
  }

  state() {
    const { checked } = this.talk.last;
    this.bars.draw();
    this.tabs.offer("changes", Boolean(checked?.start || checked?.solution));
    this.root.dataset.seq = String(this.talk.seq);
  }

  /**
   * Say, for tests and benchmarks, which answer has been painted.
   * @param {string} name
   * @param {number} seq
   */
  mark(name, seq) {
    requestAnimationFrame(() => {
      this.root.dataset[name] = String(seq);
    });
  }

  /** The line at the cursor lights up what it becomes, and its key is explained. */
  atCursor() {
    if (!this.preview) return; // while it is made
    const { doc, selection } = this.view.state;
    const { number } = doc.lineAt(selection.main.head);
    this.preview.light(number, lastLineOf(doc, number), this.view.hasFocus);
    if (this.view.hasFocus) lightUp(this.view, [], false);
    const found = this.schema.keyOfLine(doc, number);
    if (!found) {
      this.about.replaceChildren("\u00a0");
      return;
    }
    const { path, field } = found;
    const standard = field.default ? ` Default: ${field.default}.` : "";
    this.about.replaceChildren(h("b", {}, path.join(" › ")), ` ${field.type}. ${field.doc}${standard}`);
  }

  /** @param {import("./preview.js").Origin | null} origin */
  lightText(origin) {
    lightUp(this.view, origin?.span ? linesOf(this.view.state.doc, origin.span) : [], true);
    if (origin) lightUp(this.preview.view, [origin.line], false);
  }

  /** @param {number} line */
  goTo(line) {
    const { doc } = this.view.state;
    if (this.tabs.isNarrow) this.tabs.choose("butane");
    this.view.dispatch({ selection: { anchor: doc.line(Math.min(line, doc.lines)).from }, scrollIntoView: true });
    this.view.focus();
  }

  /** @param {EditorView} view */
  leave(view) {
    if (completionStatus(view.state)) return closeCompletion(view);
    if (searchPanelOpen(view.state)) return false;
    if (view === this.view) this.gate.focus();
    else this.tabs.focus();
    return true;
  }

  /** @param {string} text */
  tell(text) {
    this.spoken.textContent = text;
    return true;
  }

  end() {
    for (const end of this.endings) end();
    this.tabs.stop();
    this.view.destroy();
    this.preview.view.destroy();
    this.root.remove();
  }
}

/** Called once for each model; a model may have several views. */
export default () => {
  /** @type {Talk} */
  let talk;
  return {
    /** @param {{ model: Model }} widget */
    initialize({ model }) {
      talk = new Talk(model);
    },
    /** @param {{ model: Model, el: HTMLElement }} view */
    render({ model, el }) {
      const editor = new Editor(model, el, talk);
      return () => editor.end();
    },
  };
};
