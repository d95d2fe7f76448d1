// @ts-check
// The Ignition that the text becomes: read only, in step with the text, each line knowing where it comes from.
import { json } from "@codemirror/lang-json";
import { StateEffect, StateField } from "@codemirror/state";
import { EditorView, GutterMarker, gutter, hoverTooltip } from "@codemirror/view";
import { h } from "../lib/dom.js";
import { lightUp, pane } from "./pane.js";
import { smallestChange } from "./places.js";

/** @typedef {import("@codemirror/state").Text} Text */
/** @typedef {import("../state").SpanState} SpanState */
/** @typedef {{ line: number, span: SpanState | null, key: string, isAdded: boolean }} Origin */

const LEGEND = "+ marks what Butane added for you";

class AddedMark extends GutterMarker {
  toDOM() {
    return h("span", { class: "fk-added", title: "Butane added this" }, "+");
  }
}
const addedMark = new AddedMark();
/** @type {import("@codemirror/state").StateEffectType<Set<number>>} */
const setAdded = StateEffect.define();
/** @type {StateField<Set<number>>} */
const added = StateField.define({
  create: () => new Set(),
  update: (lines, transaction) => transaction.effects.find((effect) => effect.is(setAdded))?.value ?? lines,
});
const addedGutter = gutter({
  class: "fk-added-gutter",
  lineMarker: ({ state }, { from }) => (state.field(added).has(state.doc.lineAt(from).number) ? addedMark : null),
  lineMarkerChange: (update) => update.startState.field(added) !== update.state.field(added) || update.docChanged,
});

/**
 * The value on a line of pretty JSON, if it is a text; else null.
 * @param {string} text
 * @returns {string | null}
 */
function textOnLine(text) {
  const found = /^\s*(?:"(?:[^"\\]|\\.)*": )?("(?:[^"\\]|\\.)*"),?$/.exec(text);
  return found ? JSON.parse(found[1]) : null;
}

/** @param {string} text one byte a character */
const bytesOf = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/**
 * The contents of a data URL as text; packed contents are unpacked.
 * @param {{ url: string, isPacked: boolean }} source
 */
async function decodeDataUrl({ url, isPacked }) {
  const comma = url.indexOf(",");
  const body = url.slice(comma + 1);
  const unescaped = body.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  let bytes = bytesOf(url.slice(0, comma).endsWith(";base64") ? atob(unescaped) : unescaped);
  if (isPacked) {
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    bytes = new Uint8Array(await new Response(unpacked).arrayBuffer());
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return `(${bytes.length} bytes that are no text)`;
  }
}

/**
 * @param {Text} doc
 * @param {number} number
 */
function dataUrlAt(doc, number) {
  const url = textOnLine(doc.line(number).text);
  if (!url?.startsWith("data:")) return null;
  const near = [number - 1, number + 1].filter((at) => at >= 1 && at <= doc.lines);
  const isPacked = near.some((at) => doc.line(at).text.trim().startsWith('"compression": "gzip"'));
  return { url, isPacked };
}

const hover = hoverTooltip(async (view, pos) => {
  const line = view.state.doc.lineAt(pos);
  const source = dataUrlAt(view.state.doc, line.number);
  if (!source) return null;
  const text = await decodeDataUrl(source);
  const dom = h("div", { class: "fk-decoded" }, h("div", { class: "fk-dim" }, "Decoded:"), h("pre", {}, text));
  return { pos: line.from, end: line.to, above: true, create: () => ({ dom }) };
});

/**
 * Whether a span touches any of these lines; one that ends before the first column of a line does not touch that line.
 * @param {SpanState} span
 * @param {number} first
 * @param {number} last
 */
function touches({ line, endLine, endColumn }, first, last) {
  const endsBefore = endLine > line && endColumn === 1 && endLine === first;
  return line <= last && endLine >= first && !endsBefore;
}

export class Preview {
  /** @type {Map<number, Origin>} */
  origins = new Map();

  /**
   * @param {object} options
   * @param {import("@codemirror/view").KeyBinding[]} options.keys
   * @param {(origin: Origin | null) => void} options.lightSource called with the origin of the line at the cursor
   */
  constructor({ keys, lightSource }) {
    this.lightSource = lightSource;
    this.note = h("div", { class: "fk-note", hidden: true });
    this.detail = h("div", { class: "fk-detail", role: "status" }, LEGEND);
    const label = "Ignition config, made from the Butane config. Read only";
    this.view = new EditorView({
      extensions: [
        pane({ label, language: json(), readOnly: true, keys, extra: [added, addedGutter, hover] }),
        EditorView.updateListener.of((update) => {
          if (update.selectionSet && this.view.hasFocus) this.tell();
        }),
      ],
    });
    this.view.contentDOM.addEventListener("focus", () => this.tell());
    this.element = h("div", { class: "fk-preview" }, this.view.dom, this.note, this.detail);
  }

  /**
   * Show the newest Ignition. Without one the last stays, marked as old.
   * @param {string | undefined} text
   * @param {import("../state").BecameMessage["origins"]} origins
   */
  show(text, origins = []) {
    const isOld = text === undefined;
    this.element.classList.toggle("fk-old", isOld);
    // One line replaces the other: nothing jumps while the user types.
    this.note.hidden = !isOld;
    this.detail.hidden = isOld;
    const hadOne = this.view.state.doc.length > 0;
    this.note.textContent = hadOne
      ? "Not the newest: from your last text without faults."
      : "Nothing yet: the text has faults.";
    if (isOld) return;
    // They come as lists: a long config has more than a thousand of them with every key that is typed.
    const rows = origins.map(([number, place, key, isAdded]) => {
      const span = place && { line: place[0], column: place[1], endLine: place[2], endColumn: place[3] };
      return { line: number, span, key, isAdded };
    });
    this.origins = new Map(rows.map((origin) => [origin.line, origin]));
    const lines = new Set(rows.filter(({ isAdded }) => isAdded).map(({ line }) => line));
    const changes = smallestChange(this.view.state.sliceDoc(), text.trimEnd()) ?? [];
    this.view.dispatch({ changes, effects: setAdded.of(lines) });
  }

  /**
   * Light up what comes from these lines of the text.
   * @param {number} first
   * @param {number} last
   * @param {boolean} reveal
   */
  light(first, last, reveal) {
    const origins = [...this.origins.values()].filter(({ span }) => span && touches(span, first, last));
    lightUp(
      this.view,
      origins.map(({ line }) => line),
      reveal,
    );
  }

  /** Say where the line at the cursor comes from, and show it there. */
  async tell() {
    const { doc } = this.view.state;
    const number = this.lineAtCursor();
    const origin = this.origins.get(number);
    this.lightSource(origin?.span ? origin : null);
    if (!origin) {
      this.detail.textContent = LEGEND;
      return;
    }
    const place = origin.span ? `line ${origin.span.line}` : "your config";
    const source = origin.key ? `${origin.key}, ${place}` : place;
    this.detail.textContent = origin.isAdded ? `+ Butane added this because of ${source}. ` : `From ${source}. `;
    const url = dataUrlAt(doc, number);
    if (!url) return;
    const text = await decodeDataUrl(url);
    if (this.lineAtCursor() !== number) return;
    this.detail.append(h("pre", { tabindex: "0", "aria-label": "Decoded contents" }, text));
  }

  lineAtCursor() {
    const { doc, selection } = this.view.state;
    return doc.lineAt(selection.main.head).number;
  }
}
