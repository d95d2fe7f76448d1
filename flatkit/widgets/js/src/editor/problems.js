// @ts-check
// Faults: squiggles and gutter marks in the text, and a list below it whose entries lead there and fix by a click.
import { setDiagnostics } from "@codemirror/lint";
import { StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView } from "@codemirror/view";
import { h } from "../lib/dom.js";
import { rangeOf } from "./places.js";

/** @typedef {import("../state").EntryState} EntryState */
/** @typedef {EntryState & { line: number | null }} Problem */

/** @type {Record<string, { mark: string, name: string, group: string }>} */
const KINDS = {
  error: { mark: "✗", name: "Fault", group: "Faults" },
  warning: { mark: "!", name: "Warning", group: "Warnings" },
  info: { mark: "i", name: "Advice", group: "Advice" },
};

// A change made by a fix stays marked until the user types.
/** @type {import("@codemirror/state").StateEffectType<{ from: number, to: number }>} */
const setFixed = StateEffect.define();
const fixedMark = Decoration.mark({ class: "fk-fixed" });
/** @type {StateField<import("@codemirror/view").DecorationSet>} */
export const fixed = StateField.define({
  create: () => Decoration.none,
  update(marks, transaction) {
    const effect = transaction.effects.find((one) => one.is(setFixed));
    if (effect) {
      const { from, to } = effect.value;
      return from < to ? Decoration.set([fixedMark.range(from, to)]) : Decoration.none;
    }
    return transaction.docChanged ? Decoration.none : marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});

/**
 * Do a suggested edit, select and mark what has changed. One undo takes it back.
 * @param {EditorView} view
 * @param {import("../state").EditState} edit
 */
function fix(view, { span, text }) {
  const { from, to } = rangeOf(view.state.doc, span);
  const end = from + text.length;
  view.dispatch({
    changes: { from, to, insert: text },
    selection: { anchor: end },
    effects: setFixed.of({ from, to: end }),
    scrollIntoView: true,
    userEvent: "input.complete",
  });
  view.focus();
}

/**
 * @param {EditorView} view
 * @param {EntryState} entry
 */
function goTo(view, { span }) {
  if (span) {
    const { from } = rangeOf(view.state.doc, span);
    view.dispatch({ selection: { anchor: from }, effects: EditorView.scrollIntoView(from, { y: "center" }) });
  }
  view.focus();
}

/**
 * What to do about an entry: a sentence, and an example as it is written.
 * @param {EntryState} entry
 */
function teachLines({ teach }) {
  if (!teach) return [];
  const [first, ...example] = teach.split("\n");
  const shown = example.length > 0 && h("pre", { class: "fk-example" }, example.join("\n"));
  return [h("div", { class: "fk-dim" }, first), shown];
}

/**
 * @param {import("@codemirror/state").Text} doc
 * @param {EntryState} entry
 * @param {import("../state").SpanState} span
 * @returns {import("@codemirror/lint").Diagnostic}
 */
function diagnosticOf(doc, entry, span) {
  const range = rangeOf(doc, span);
  const line = doc.lineAt(range.from);
  // A whole mapping is not underlined, its first line says enough; a mere point is too small to be seen.
  const to = Math.min(range.to, line.to);
  const indent = line.text.length - line.text.trimStart().length;
  const from = to > range.from ? range.from : Math.min(range.from, line.from + indent);
  return {
    from,
    to: to > from ? to : line.to,
    severity: entry.kind,
    message: entry.message,
    renderMessage: () => h("div", {}, h("div", {}, `${KINDS[entry.kind].name}: ${entry.message}`), teachLines(entry)),
    actions: entry.edits.map((edit) => ({ name: edit.label, apply: (view) => fix(view, edit) })),
  };
}

export class Problems {
  /** @type {Problem[]} */
  report = [];
  list = h("ol", { class: "fk-problems", "aria-label": "Problems" });
  // The entries whose reason is open: it stays open while the user types.
  /** @type {Set<string>} */
  open = new Set();

  /**
   * @param {EditorView} view
   * @param {(text: string) => void} say
   */
  constructor(view, say) {
    this.view = view;
    this.say = say;
  }

  /** @param {EntryState[]} report */
  show(report) {
    const { doc } = this.view.state;
    // YAML's reader reports some faults behind the last line; for the user that is the last line.
    this.report = report.map((entry) => ({ ...entry, line: entry.span && Math.min(entry.span.line, doc.lines) }));
    const marks = report.flatMap((entry) => (entry.span ? [diagnosticOf(doc, entry, entry.span)] : []));
    marks.sort((a, b) => a.from - b.from || a.to - b.to);
    this.view.dispatch(setDiagnostics(this.view.state, marks));
    this.draw();
  }

  draw() {
    const { activeElement } = document;
    const held = this.list.contains(activeElement) ? /** @type {HTMLElement} */ (activeElement).dataset.key : undefined;
    const rows = Object.entries(KINDS).flatMap(([kind, { group }]) => {
      const mine = this.report.flatMap((entry, number) => (entry.kind === kind ? [{ entry, number }] : []));
      const title = h("h4", {}, `${group} (${mine.length})`);
      return mine.map(({ entry, number }, at) => this.row(entry, number, at === 0 && title));
    });
    this.list.replaceChildren(...rows);
    this.list.hidden = !this.report.length;
    if (held === undefined) return;
    /** @type {HTMLElement | null} */
    const again = this.list.querySelector(`[data-key="${held}"]`);
    (again ?? this.view.contentDOM).focus();
  }

  /**
   * @param {Problem} entry
   * @param {number} number
   * @param {HTMLElement | false} title of the group that it begins
   */
  row(entry, number, title) {
    const { mark, name } = KINDS[entry.kind];
    const place = h("span", { class: "fk-place" }, `${name}, ${entry.line ? `line ${entry.line}` : "the whole text"}`);
    const lead = { class: "fk-link", "data-key": `go${number}`, onclick: () => goTo(this.view, entry) };
    const message = h("span", { class: "fk-message" }, entry.message);
    const fixes = entry.edits.map((edit, at) => {
      const onclick = () => fix(this.view, edit);
      return h("button", { class: "fk-button", "data-key": `fix${number}-${at}`, onclick }, `Fix: ${edit.label}`);
    });
    return h(
      "li",
      { class: `fk-problem fk-is-${entry.kind}` },
      title,
      h("span", { class: "fk-mark", "aria-hidden": "true" }, mark),
      h(
        "div",
        { class: "fk-what" },
        h("button", lead, place),
        " ",
        message,
        teachLines(entry),
        this.reason(entry, number),
      ),
      h("div", { class: "fk-fixes" }, fixes),
    );
  }

  /**
   * Why it is so, on demand, and where to read on.
   * @param {Problem} entry
   * @param {number} number
   */
  reason({ message, reason }, number) {
    const summary = h("summary", { "data-key": `why${number}` }, "Why?");
    const page = h("a", { href: reason.link, target: "_blank", rel: "noopener" }, reason.page);
    const details = h(
      "details",
      { class: "fk-why", open: this.open.has(message) },
      summary,
      h("p", {}, reason.why, reason.why && " ", "Read on: ", page),
    );
    details.ontoggle = () => (details.open ? this.open.add(message) : this.open.delete(message));
    return details;
  }

  /**
   * Go to the next problem (or the one before), around the end.
   * @param {1 | -1} direction
   */
  step(direction) {
    const { doc, selection } = this.view.state;
    const at = selection.main.head;
    const placed = this.report.flatMap((entry) => (entry.span ? [{ entry, ...rangeOf(doc, entry.span) }] : []));
    placed.sort((a, b) => a.from - b.from);
    const next =
      direction > 0
        ? (placed.find(({ from }) => from > at) ?? placed[0])
        : (placed.findLast(({ from }) => from < at) ?? placed.at(-1));
    if (next) {
      const { kind, line, message } = next.entry;
      goTo(this.view, next.entry);
      this.say(`${KINDS[kind].name}, line ${line}: ${message}`);
    } else this.say("There are no problems");
    return true;
  }
}
