// @ts-check
// What both text panes share: line numbers, folding, search, the colours of words, and lines that light up.
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import {
  bracketMatching,
  codeFolding,
  foldGutter,
  foldKeymap,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, RangeSetBuilder, StateEffect, StateField } from "@codemirror/state";
import {
  Decoration,
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

/** @type {import("@codemirror/state").StateEffectType<number[]>} */
const setLit = StateEffect.define();
const litLine = Decoration.line({ class: "fk-lit" });

/**
 * @param {import("@codemirror/state").Text} doc
 * @param {number[]} numbers
 */
function litMarks(doc, numbers) {
  /** @type {RangeSetBuilder<Decoration>} */
  const builder = new RangeSetBuilder();
  for (const number of numbers) {
    if (number > doc.lines) continue;
    const { from } = doc.line(number);
    builder.add(from, from, litLine);
  }
  return builder.finish();
}

/** @type {StateField<import("@codemirror/view").DecorationSet>} */
const lit = StateField.define({
  create: () => Decoration.none,
  update(marks, transaction) {
    const effect = transaction.effects.findLast((one) => one.is(setLit));
    return effect ? litMarks(transaction.state.doc, effect.value) : marks.map(transaction.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** @type {WeakMap<EditorView, string>} */
const shown = new WeakMap();

/**
 * Light up these lines (numbers from 1) and no others. `reveal` scrolls to the first when it is out of sight.
 * @param {EditorView} view
 * @param {number[]} numbers
 * @param {boolean} reveal
 */
export function lightUp(view, numbers, reveal) {
  const wanted = numbers.join();
  if ((shown.get(view) ?? "") !== wanted) {
    shown.set(view, wanted);
    view.dispatch({ effects: setLit.of(numbers) });
  }
  if (!reveal || !numbers.length || numbers[0] > view.state.doc.lines) return;
  const block = view.lineBlockAt(view.state.doc.line(numbers[0]).from);
  const { scrollTop, clientHeight } = view.scrollDOM;
  if (block.top >= scrollTop && block.bottom <= scrollTop + clientHeight) return;
  view.scrollDOM.scrollTop = Math.max(0, block.top - clientHeight / 3);
}

/**
 * Extensions for a pane.
 * @param {object} options
 * @param {string} options.label the pane's accessible name
 * @param {import("@codemirror/state").Extension} options.language
 * @param {boolean} [options.readOnly]
 * @param {import("@codemirror/view").KeyBinding[]} [options.keys]
 * @param {import("@codemirror/state").Extension} [options.extra]
 */
export function pane({ label, language, readOnly = false, keys = [], extra = [] }) {
  /** @type {Record<string, string>} */
  const attributes = { "aria-label": label, tabindex: "0", spellcheck: "false" };
  if (readOnly) attributes["aria-readonly"] = "true";
  const editing = readOnly ? [] : [...historyKeymap, indentWithTab];
  return [
    lineNumbers(),
    codeFolding(),
    foldGutter({ openText: "▾", closedText: "▸" }),
    drawSelection(),
    indentOnInput(),
    indentUnit.of("  "),
    EditorState.tabSize.of(2),
    bracketMatching(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    highlightSelectionMatches(),
    search({ top: true }),
    syntaxHighlighting(classHighlighter),
    language,
    lit,
    EditorView.contentAttributes.of(attributes),
    readOnly ? EditorState.readOnly.of(true) : history(),
    extra,
    keymap.of([...keys, ...searchKeymap, ...foldKeymap, ...defaultKeymap, ...editing]),
  ];
}
