// Faults: squiggles and gutter marks in the text, and a list below it whose entries lead there and mend by a click.
import { setDiagnostics } from "@codemirror/lint";
import { StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView } from "@codemirror/view";
import { h } from "../lib/dom.js";
import { rangeOf } from "./places.js";

const MARKS = { error: "✗", warning: "!", info: "i" };
const NAMES = { error: "Fault", warning: "Warning", info: "Note" };

// A change that flatkit made for the person stays marked until they type.
const setMended = StateEffect.define();
const mendedMark = Decoration.mark({ class: "fk-mended" });
export const mended = StateField.define({
  create: () => Decoration.none,
  update(marks, transaction) {
    for (const effect of transaction.effects)
      if (effect.is(setMended))
        return effect.value.from < effect.value.to
          ? Decoration.set([mendedMark.range(effect.value.from, effect.value.to)])
          : Decoration.none;
    return transaction.docChanged ? Decoration.none : marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** Do a suggested edit, select and mark what has changed. One undo takes it back. */
export function mend(view, edit) {
  const { from, to } = rangeOf(view.state.doc, edit.span);
  const end = from + edit.text.length;
  view.dispatch({
    changes: { from, to, insert: edit.text },
    selection: { anchor: end },
    effects: setMended.of({ from, to: end }),
    scrollIntoView: true,
    userEvent: "input.complete",
  });
  view.focus();
}

function goTo(view, entry) {
  const range = rangeOf(view.state.doc, entry.span);
  if (range)
    view.dispatch({
      selection: { anchor: range.from },
      effects: EditorView.scrollIntoView(range.from, { y: "center" }),
    });
  view.focus();
}

function message(entry) {
  return h(
    "div",
    {},
    h("div", {}, `${NAMES[entry.kind]}: ${entry.message}`),
    entry.teach ? h("div", { class: "fk-dim" }, entry.teach) : null,
  );
}

export class Problems {
  constructor(view, say) {
    this.view = view;
    this.say = say;
    this.report = [];
    this.list = h("ol", { class: "fk-problems", "aria-label": "Problems" });
  }

  show(report) {
    const { doc } = this.view.state;
    // YAML's reader finds some faults behind the last line; what people see there is the last line.
    this.report = report.map((entry) => (entry.span ? { ...entry, line: Math.min(entry.span[0], doc.lines) } : entry));
    const marks = report
      .filter((entry) => entry.span)
      .map((entry) => {
        const range = rangeOf(doc, entry.span);
        const line = doc.lineAt(range.from);
        // A whole mapping is not underlined, its first line says enough; a mere point is too little to be seen.
        const to = Math.min(range.to, line.to);
        if (to <= range.from) range.from = Math.min(range.from, line.from + /^ */.exec(line.text)[0].length);
        const actions = entry.edits.map((edit) => ({ name: edit.label, apply: (view) => mend(view, edit) }));
        return {
          from: range.from,
          to: to > range.from ? to : line.to,
          severity: entry.kind,
          message: entry.message,
          renderMessage: () => message(entry),
          actions,
        };
      });
    this.view.dispatch(
      setDiagnostics(
        this.view.state,
        marks.sort((a, b) => a.from - b.from || a.to - b.to),
      ),
    );
    this.draw();
  }

  draw() {
    const held = this.list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    this.list.replaceChildren(...this.report.map((entry, number) => this.row(entry, number)));
    this.list.hidden = !this.report.length;
    if (held !== null) (this.list.querySelector(`[data-key="${held}"]`) ?? this.view.contentDOM).focus();
  }

  row(entry, number) {
    const place = entry.span ? `line ${entry.line}` : "the whole text";
    return h(
      "li",
      { class: `fk-problem fk-is-${entry.kind}` },
      h("span", { class: "fk-mark", "aria-hidden": "true" }, MARKS[entry.kind]),
      h(
        "div",
        {},
        h(
          "button",
          { class: "fk-link", "data-key": `go${number}`, onclick: () => goTo(this.view, entry) },
          h("span", { class: "fk-place" }, `${NAMES[entry.kind]}, ${place}`),
        ),
        " ",
        h("span", { class: "fk-message" }, entry.message),
        entry.teach ? h("div", { class: "fk-dim" }, entry.teach) : null,
      ),
      h(
        "div",
        { class: "fk-mends" },
        entry.edits.map((edit, at) =>
          h(
            "button",
            { class: "fk-button", "data-key": `mend${number}-${at}`, onclick: () => mend(this.view, edit) },
            `Fix: ${edit.label}`,
          ),
        ),
      ),
    );
  }

  /** Go to the next problem (or the one before), around the end. */
  step(direction) {
    const { doc, selection } = this.view.state;
    const at = selection.main.head;
    const placed = this.report
      .filter((entry) => entry.span)
      .map((entry) => ({ entry, ...rangeOf(doc, entry.span) }))
      .sort((a, b) => a.from - b.from);
    if (!placed.length) this.say("There are no problems");
    else {
      const next =
        direction > 0
          ? (placed.find(({ from }) => from > at) ?? placed[0])
          : (placed.findLast(({ from }) => from < at) ?? placed.at(-1));
      goTo(this.view, next.entry);
      this.say(`${NAMES[next.entry.kind]}, line ${next.entry.line}: ${next.entry.message}`);
    }
    return true;
  }
}
