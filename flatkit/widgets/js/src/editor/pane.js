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

/** Light up these lines (numbers from 1), and no others. */
export const setLit = StateEffect.define();
const litLine = Decoration.line({ class: "fk-lit" });
const lit = StateField.define({
  create: () => Decoration.none,
  update(marks, transaction) {
    let now = marks.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (!effect.is(setLit)) continue;
      const builder = new RangeSetBuilder();
      const { doc } = transaction.state;
      for (const number of effect.value)
        if (number <= doc.lines) builder.add(doc.line(number).from, doc.line(number).from, litLine);
      now = builder.finish();
    }
    return now;
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** Light lines up, once for each new set; `reveal` scrolls to the first when none is in sight. */
export function lightUp(view, numbers, reveal) {
  const wanted = numbers.join();
  if (view.fkLit !== wanted) {
    view.fkLit = wanted;
    view.dispatch({ effects: setLit.of(numbers) });
  }
  if (!reveal || !numbers.length || numbers[0] > view.state.doc.lines) return;
  const block = view.lineBlockAt(view.state.doc.line(numbers[0]).from);
  const { scrollTop, clientHeight } = view.scrollDOM;
  if (block.top < scrollTop || block.bottom > scrollTop + clientHeight)
    view.scrollDOM.scrollTop = Math.max(0, block.top - clientHeight / 3);
}

/** Extensions for a pane. `label` is what it is called by those who hear it. */
export function pane({ label, language, readOnly = false, keys = [], extra = [] }) {
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
    EditorView.contentAttributes.of({
      "aria-label": label,
      tabindex: "0",
      spellcheck: "false",
      ...(readOnly ? { "aria-readonly": "true" } : {}),
    }),
    readOnly ? EditorState.readOnly.of(true) : history(),
    extra,
    keymap.of([
      ...keys,
      ...searchKeymap,
      ...foldKeymap,
      ...defaultKeymap,
      ...(readOnly ? [] : [...historyKeymap, indentWithTab]),
    ]),
  ];
}
