// The Butane editor: the text on the left; on the right what it becomes, what that does, and what has changed.
import { autocompletion, closeCompletion, completionKeymap, completionStatus } from "@codemirror/autocomplete";
import { yaml } from "@codemirror/lang-yaml";
import { linter, lintGutter } from "@codemirror/lint";
import { searchPanelOpen } from "@codemirror/search";
import { Annotation, EditorState } from "@codemirror/state";
import { EditorView, hoverTooltip } from "@codemirror/view";
import { lightUp, pane } from "./base.js";
import { Bars } from "./bars.js";
import { drawChanges, drawExplanation } from "./pages.js";
import { lastLineOf, smallestChange } from "./places.js";
import { linesOf, Preview } from "./preview.js";
import { mended, Problems } from "./problems.js";
import { Schema } from "./schema.js";
import { Tabs } from "./tabs.js";
import { Talk } from "./talk.js";
import { h, makeRoot } from "../lib/dom.js";

// A change that did not come from this view's person, so that it is not sent.
const fromOutside = Annotation.define();

class Editor {
  constructor(model, el, talk) {
    this.talk = talk;
    this.schema = new Schema(model.get("schema"));
    this.root = makeRoot(el, model, "editor");
    this.root.setAttribute("aria-label", `Editor for ${model.get("name")}`);
    this.spoken = h("div", { class: "fk-unseen", role: "status", "aria-live": "polite" });
    this.verdict = h("span", { class: "fk-verdict", role: "status", "aria-live": "polite" });
    this.about = h("div", { class: "fk-about-line" });
    this.keys = [
      { key: "F8", run: () => this.problems.step(1), shift: () => this.problems.step(-1) },
      { key: "Mod-s", run: () => this.say(this.talk.isSaved ? "Saved" : "Not saved yet") },
      { key: "Escape", run: (view) => this.leave(view) },
    ];
    this.makeText(model);
    this.problems = new Problems(this.view, (text) => this.say(text));
    this.preview = new Preview({ keys: this.keys, lightSource: (origins) => this.lightText(origins) });
    this.bars = new Bars(this.talk, model.get("name"), { take: (text) => this.take(text) });
    this.layOut();
    this.listen();
    this.catchUp();
  }

  makeText(model) {
    const extensions = [
      pane({
        label: `Butane config ${model.get("name")}`,
        language: yaml(),
        keys: [...this.keys, ...completionKeymap],
      }),
      EditorState.lineSeparator.of(this.talk.text.includes("\r\n") ? "\r\n" : "\n"),
      lintGutter(),
      linter(null),
      mended,
      autocompletion({ override: [this.schema.complete], icons: false, maxRenderedOptions: 60 }),
      hoverTooltip(this.schema.hover),
      EditorView.updateListener.of((update) => this.updated(update)),
    ];
    this.view = new EditorView({ doc: this.talk.text, extensions });
  }

  layOut() {
    const help = h(
      "span",
      { class: "fk-help" },
      "F8 next problem · Ctrl+Space complete · Ctrl+F search · Esc leaves the editor",
    );
    this.gate = h(
      "div",
      {
        class: "fk-gate",
        tabindex: "-1",
        role: "group",
        "aria-label": "You left the text. Tab goes on, Enter goes back",
        onkeydown: (event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          this.view.focus();
        },
      },
      "You left the text: Tab goes on, Enter goes back",
    );
    this.explanation = h("div", { class: "fk-page", tabindex: "0" });
    this.changes = h("div", { class: "fk-page", tabindex: "0" });
    const text = h("div", { class: "fk-text" }, this.view.dom, this.gate, this.about);
    this.tabs = new Tabs(
      [
        { name: "butane", title: "Butane", element: text },
        { name: "ignition", title: "Ignition", element: this.preview.element },
        { name: "explain", title: "Explain", element: this.explanation },
        { name: "changes", title: "Changes", element: this.changes },
      ],
      (name) => {
        if (name !== "butane") this.talk.show(name);
        this.view.requestMeasure();
      },
    );
    const side = h("div", { class: "fk-side" }, this.tabs.bar, this.preview.element, this.explanation, this.changes);
    const foot = h("div", { class: "fk-foot" }, this.verdict, help);
    this.root.append(
      this.bars.top,
      this.bars.strip,
      this.bars.conflict,
      this.bars.offer,
      h("div", { class: "fk-body" }, text, side),
      foot,
      this.problems.list,
      this.spoken,
    );
    this.grow();
    this.tabs.follow(this.root);
  }

  listen() {
    // Somebody may have written the file while the person was elsewhere.
    this.root.addEventListener("focusin", (event) => {
      if (!this.root.contains(event.relatedTarget)) this.talk.ask("look");
    });
    const on = (kind, act) => {
      const listener = (event) => act(event.detail);
      this.talk.addEventListener(kind, listener);
      (this.endings ??= []).push(() => this.talk.removeEventListener(kind, listener));
    };
    on("text", ({ from }) => {
      if (from !== this) this.follow(this.talk.text);
    });
    on("judged", (judged) => this.judged(judged));
    on("became", (became) => this.became(became));
    on("state", () => this.state());
    on("others", ({ names }) => this.isNear() && this.bars.askOther(names));
    on("take", ({ text, name }) => this.isNear() && (this.take(text), this.say(`The text of ${name} is here now`)));
    on("said", ({ text, ok }) => this.isNear() && this.bars.say(text, ok));
  }
  /** Whether this view, of several on the page, is the one that the person is in. */
  isNear() {
    return this.root.contains(document.activeElement) || this.root === document.querySelector(".fk-editor");
  }

  catchUp() {
    const { judged, became } = this.talk.last;
    if (judged && judged.seq === this.talk.seq) this.judged(judged);
    if (became && became.seq === this.talk.seq) this.became(became);
    if (this.talk.cameBack) this.say("What you typed while the kernel was away is back");
    this.state();
  }

  updated(update) {
    if (update.docChanged && !update.transactions.every((one) => one.annotation(fromOutside)))
      this.talk.edit(update.state.sliceDoc(), this);
    if (update.docChanged) this.grow();
    if (update.selectionSet || update.docChanged) this.atCursor();
  }
  /** As high as its text, within bounds; it grows with it and never shrinks, so that the page stays calm. */
  grow() {
    const lines = Math.max(10, Math.min(25, this.view.state.doc.lines + 1));
    if (lines <= (this.lines ?? 0)) return;
    this.lines = lines;
    this.root.style.setProperty("--fk-lines", lines);
  }
  /** Put another text in: only the part that differs changes, and nothing is sent. */
  follow(text) {
    const change = smallestChange(this.view.state.sliceDoc(), text);
    if (change) this.view.dispatch({ changes: change, annotations: fromOutside.of(true) });
  }
  /** Put another text in as the person's own change: it can be undone. */
  take(text) {
    const change = smallestChange(this.view.state.sliceDoc(), text);
    if (change) this.view.dispatch({ changes: change, userEvent: "input.paste" });
    this.view.focus();
  }

  judged({ report, ok, ignition, seq }) {
    this.problems.show(report);
    const count = (kind, word) => {
      const n = report.filter((entry) => entry.kind === kind).length;
      return n ? `${n} ${word}${n > 1 ? "s" : ""}` : null;
    };
    const found = [count("error", "fault"), count("warning", "warning"), count("info", "note")]
      .filter(Boolean)
      .join(", ");
    const words = ok
      ? `✓ Becomes Ignition ${ignition}${found ? ` · ${found}` : ""}`
      : `✗ ${found}: no machine can be made from this yet`;
    if (this.verdict.textContent !== words) this.verdict.textContent = words;
    this.verdict.className = `fk-verdict ${ok ? "fk-ok" : "fk-bad"}`;
    requestAnimationFrame(() => {
      this.root.dataset.judged = seq;
    });
  }
  became({ json, origins, more, seq }) {
    this.preview.show(json, origins);
    if (more.explain) drawExplanation(this.explanation, more, json !== undefined, (line) => this.goTo(line));
    if (more.start !== undefined || more.solution !== undefined) drawChanges(this.changes, more);
    this.atCursor();
    requestAnimationFrame(() => {
      this.root.dataset.became = seq;
    });
  }
  state() {
    const { judged } = this.talk.last;
    this.bars.state({ judged });
    this.tabs.offer("changes", Boolean(judged?.start || judged?.solution));
    this.root.dataset.seq = this.talk.seq;
  }

  /** The line at the cursor lights up what it becomes, and says what its key means. */
  atCursor() {
    if (!this.preview) return;
    const { doc, selection } = this.view.state;
    const number = doc.lineAt(selection.main.head).number;
    this.preview.light(number, lastLineOf(doc, number), this.view.hasFocus);
    if (this.view.hasFocus) lightUp(this.view, [], false);
    const found = this.schema.keyOfLine(doc, number);
    this.about.replaceChildren(
      ...(found
        ? [
            h("b", {}, found.path.join(" › ")),
            ` ${found.field.type}. ${found.field.doc}${found.field.default ? ` Default: ${found.field.default}.` : ""}`,
          ]
        : ["\u00a0"]),
    );
  }
  lightText(origins) {
    const { doc } = this.view.state;
    lightUp(
      this.view,
      origins.flatMap((origin) => linesOf(doc, origin)),
      true,
    );
    if (origins.length) lightUp(this.preview.view, [origins[0].line], false);
  }
  goTo(line) {
    const { doc } = this.view.state;
    if (this.tabs.isNarrow) this.tabs.show("butane");
    this.view.dispatch({ selection: { anchor: doc.line(Math.min(line, doc.lines)).from }, scrollIntoView: true });
    this.view.focus();
  }
  leave(view) {
    if (completionStatus(view.state)) return closeCompletion(view);
    if (searchPanelOpen(view.state)) return false;
    if (view === this.view) this.gate.focus();
    else this.tabs.bar.querySelector("[aria-selected=true]").focus();
    return true;
  }
  say(text) {
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

// Called once for each model; a model may have several views.
export default () => {
  let talk;
  return {
    initialize({ model }) {
      talk = new Talk(model);
    },
    render({ model, el }) {
      const editor = new Editor(model, el, talk);
      return () => editor.end();
    },
  };
};
