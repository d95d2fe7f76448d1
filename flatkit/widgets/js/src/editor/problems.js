// @ts-check
// Faults: squiggles and gutter marks in the text, and a list below it whose entries lead there and fix by a click.
import { setDiagnostics } from "@codemirror/lint";
import { StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView } from "@codemirror/view";
import { h } from "../lib/dom.js";
import { rangeOf } from "./places.js";

/** @typedef {import("../state").EntryState} EntryState */
/** @typedef {EntryState & { line: number | null }} Problem */

/** @type {Record<string, { mark: string, name: string }>} */
const KINDS = {
  error: { mark: "✗", name: "Fault" },
  warning: { mark: "!", name: "Warning" },
  info: { mark: "i", name: "Note" },
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

/** @param {EntryState} entry */
const teachLine = ({ teach }) => (teach ? h("div", { class: "fk-dim" }, teach) : null);

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
    renderMessage: () => h("div", {}, h("div", {}, `${KINDS[entry.kind].name}: ${entry.message}`), teachLine(entry)),
    actions: entry.edits.map((edit) => ({ name: edit.label, apply: (view) => fix(view, edit) })),
  };
}

export class Problems {
  /** @type {Problem[]} */
  report = [];
  list = h("ol", { class: "fk-problems", "aria-label": "Problems" });

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
    this.list.replaceChildren(...this.report.map((entry, number) => this.row(entry, number)));
    this.list.hidden = !this.report.length;
    if (held === undefined) return;
    /** @type {HTMLElement | null} */
    const again = this.list.querySelector(`[data-key="${held}"]`);
    (again ?? this.view.contentDOM).focus();
  }

  /**
   * @param {Problem} entry
   * @param {number} number
   */
  row(entry, number) {
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
      h("span", { class: "fk-mark", "aria-hidden": "true" }, mark),
      h("div", {}, h("button", lead, place), " ", message, teachLine(entry)),
      h("div", { class: "fk-fixes" }, fixes),
    );
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
