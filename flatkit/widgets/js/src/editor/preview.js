// The Ignition that the text becomes: read only, in step with the text, each line knowing where it comes from.
import { json } from "@codemirror/lang-json";
import { StateEffect, StateField } from "@codemirror/state";
import { EditorView, gutter, GutterMarker, hoverTooltip } from "@codemirror/view";
import { h } from "../lib/dom.js";
import { lightUp, pane } from "./base.js";
import { rangeOf, smallestChange } from "./places.js";

const LEGEND = "+ marks what Butane added for you";

class AddedMark extends GutterMarker {
  toDOM() {
    return h("span", { class: "fk-added", title: "Butane added this" }, "+");
  }
}
const addedMark = new AddedMark();
const setAdded = StateEffect.define();
const added = StateField.define({
  create: () => new Set(),
  update: (lines, transaction) => transaction.effects.find((effect) => effect.is(setAdded))?.value ?? lines,
});
const addedGutter = gutter({
  class: "fk-added-gutter",
  lineMarker: (view, line) => (view.state.field(added).has(view.state.doc.lineAt(line.from).number) ? addedMark : null),
  lineMarkerChange: (update) => update.startState.field(added) !== update.state.field(added) || update.docChanged,
});

/** The value on a line of pretty JSON, if it is a text; else null. */
function textOnLine(text) {
  const found = /^\s*(?:"(?:[^"\\]|\\.)*": )?("(?:[^"\\]|\\.)*"),?$/.exec(text);
  return found ? JSON.parse(found[1]) : null;
}

/** What a data URL holds, as text; packed contents are unpacked. */
export async function decodeDataUrl(url, packed) {
  const [head, ...rest] = url.slice(5).split(",");
  const body = rest.join(",");
  let bytes;
  if (head.endsWith(";base64")) bytes = Uint8Array.from(atob(decodeURIComponent(body)), (ch) => ch.charCodeAt(0));
  else
    bytes = Uint8Array.from(
      body.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16))),
      (ch) => ch.charCodeAt(0),
    );
  if (packed)
    bytes = new Uint8Array(
      await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer(),
    );
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return `(${bytes.length} bytes that are no text)`;
  }
}

function dataUrlAt(doc, number) {
  const url = textOnLine(doc.line(number).text);
  if (!url?.startsWith("data:")) return null;
  const near = [number - 1, number + 1]
    .filter((at) => at >= 1 && at <= doc.lines)
    .map((at) => doc.line(at).text.trim());
  return { url, packed: near.some((text) => text.startsWith('"compression": "gzip"')) };
}

const hover = hoverTooltip(async (view, pos) => {
  const line = view.state.doc.lineAt(pos);
  const found = dataUrlAt(view.state.doc, line.number);
  if (!found) return null;
  const text = await decodeDataUrl(found.url, found.packed);
  return {
    pos: line.from,
    end: line.to,
    above: true,
    create: () => ({
      dom: h("div", { class: "fk-decoded" }, h("div", { class: "fk-dim" }, "Decoded:"), h("pre", {}, text)),
    }),
  };
});

export class Preview {
  /** `lightSource(range, lines)` is called when the cursor stands on something that comes from there. */
  constructor({ keys, lightSource }) {
    this.origins = new Map();
    this.lightSource = lightSource;
    this.note = h("div", { class: "fk-note", hidden: true });
    this.detail = h("div", { class: "fk-detail", role: "status" }, LEGEND);
    this.view = new EditorView({
      extensions: [
        pane({
          label: "Ignition config, made from the Butane config. Read only",
          language: json(),
          readOnly: true,
          keys,
          extra: [added, addedGutter, hover],
        }),
        EditorView.updateListener.of((update) => {
          if (update.selectionSet && this.view.hasFocus) this.tell();
        }),
      ],
    });
    this.view.contentDOM.addEventListener("focus", () => this.tell());
    this.element = h("div", { class: "fk-preview" }, this.view.dom, this.note, this.detail);
  }

  /** The newest Ignition, or none: then the last one stays, and says that it is old. */
  show(text, origins) {
    this.element.classList.toggle("fk-old", text === undefined);
    this.note.hidden = text !== undefined;
    this.detail.hidden = text === undefined; // one line stands in for the other: nothing jumps while one types
    const had = this.view.state.doc.length > 0;
    this.note.textContent = had
      ? "Not the newest: from your last text without faults."
      : "Nothing yet: the text has faults.";
    if (text === undefined) return;
    const change = smallestChange(this.view.state.sliceDoc(), text.trimEnd());
    this.origins = new Map(origins.map(([line, span, key, isAdded]) => [line, { line, span, key, added: isAdded }]));
    const lines = new Set(origins.filter(([, , , isAdded]) => isAdded).map(([line]) => line));
    this.view.dispatch({ changes: change ?? [], effects: setAdded.of(lines) });
  }

  /** Light up what comes from these lines of the text. */
  light(first, last, reveal) {
    const lines = [...this.origins.values()].filter(
      ({ span }) =>
        span && span[0] <= last && span[2] >= first && !(span[2] > span[0] && span[3] === 1 && span[2] === first),
    );
    lightUp(
      this.view,
      lines.map(({ line }) => line),
      reveal,
    );
  }

  /** Say where the line at the cursor comes from, and show it there. */
  async tell() {
    const { doc } = this.view.state;
    const line = doc.lineAt(this.view.state.selection.main.head);
    const origin = this.origins.get(line.number);
    if (!origin) {
      this.detail.textContent = LEGEND;
      return this.lightSource([]);
    }
    const place = origin.span ? `line ${origin.span[0]}` : "your config";
    const source = origin.key ? `${origin.key}, ${place}` : place;
    const words = origin.added ? `+ Butane added this because of ${source}. ` : `From ${source}. `;
    this.detail.replaceChildren(words);
    this.lightSource(origin.span ? [origin] : []);
    const found = dataUrlAt(doc, line.number);
    if (!found) return undefined;
    const text = await decodeDataUrl(found.url, found.packed);
    if (doc.lineAt(this.view.state.selection.main.head).number === line.number)
      this.detail.append(h("pre", { tabindex: "0", "aria-label": "Decoded contents" }, text));
    return undefined;
  }
}

/** The lines that an origin covers. */
export function linesOf(doc, origin) {
  const range = rangeOf(doc, origin.span);
  const first = doc.lineAt(range.from).number;
  const last = doc.lineAt(range.to > range.from ? range.to - 1 : range.to).number;
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}
