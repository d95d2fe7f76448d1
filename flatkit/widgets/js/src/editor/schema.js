// @ts-check
// Completion, hover and the line about the key at the cursor, from the schema that Python sends. The place in the
// config is read off the indentation: that works while the text is half written, and while the kernel is busy.
import { snippetCompletion } from "@codemirror/autocomplete";
import { h } from "../lib/dom.js";

/** @typedef {import("@codemirror/state").Text} Text */
/** @typedef {import("../state").KeyState} KeyState */
/** @typedef {import("../state").VersionState} VersionState */

const LINE = /^(?<space> *)(?<dashes>(?:- +)*)(?:(?<key>[\w-]+):(?= |$))?(?<gap> *)(?<rest>.*)$/;
const TEXT_BLOCK = /^[|>][-+\d]*\s*(#.*)?$/;
const DEFAULT_VALUES = /** @type {Record<string, string[]>} */ ({ mode: ["0644", "0755", "0600"] });

/**
 * A line's parts. `dash` is the column of its first dash (-1 without one), `indent` that of its key.
 * @param {string} text
 */
function parse(text) {
  const { space = "", dashes = "", key, rest = "" } = LINE.exec(text)?.groups ?? {};
  /** @type {string | undefined} */
  const name = key;
  return { dash: dashes ? space.length : -1, indent: space.length + dashes.length, key: name, rest };
}

/** @param {string} text */
const isBlank = (text) => /^\s*(#|$)/.test(text);

/**
 * The keys that lead to a line's mapping, outermost first; null inside a text block such as `inline: |`.
 * @param {Text} doc
 * @param {number} number
 * @param {{ indent: number, dash: number }} line
 */
function pathAbove(doc, number, { indent, dash }) {
  /** @type {string[]} */
  const path = [];
  let limit = dash >= 0 ? dash + 0.5 : indent;
  for (let at = number - 1; at >= 1 && limit > 0; at -= 1) {
    const { text } = doc.line(at);
    if (isBlank(text)) continue;
    const line = parse(text);
    if (line.indent < limit && line.key !== undefined) {
      if (TEXT_BLOCK.test(line.rest)) return null;
      path.unshift(line.key);
      limit = line.dash >= 0 ? line.dash + 0.5 : line.indent;
    } else if (line.dash >= 0 && line.indent <= limit && line.dash < limit) limit = line.dash + 0.5;
  }
  return path;
}

/**
 * The keys that the mapping of a line has already.
 * @param {Text} doc
 * @param {number} number
 * @param {{ indent: number, dash: number }} mine
 */
function siblings(doc, number, mine) {
  /** @type {Set<string>} */
  const found = new Set();
  /** @param {1 | -1} step */
  const look = (step) => {
    for (let at = number + step; at >= 1 && at <= doc.lines; at += step) {
      const { text } = doc.line(at);
      if (isBlank(text)) continue;
      const line = parse(text);
      if (line.indent < mine.indent || (step > 0 && line.indent === mine.indent && line.dash >= 0)) break;
      if (line.indent === mine.indent && line.key) found.add(line.key);
      if (step < 0 && line.indent === mine.indent && line.dash >= 0) break;
    }
  };
  if (mine.dash < 0) look(-1);
  look(1);
  return found;
}

/**
 * @param {string} key
 * @param {KeyState} field
 */
function about(key, field) {
  const choices = field.choices.length ? h("div", {}, `One of: ${field.choices.join(", ")}`) : null;
  const standard = field.default ? h("div", {}, `Default: ${field.default}`) : null;
  const head = h("div", {}, h("b", {}, key), ` ${field.type}`);
  return h("div", { class: "fk-about" }, head, h("div", {}, field.doc), choices, standard);
}

/**
 * @param {string} key
 * @param {KeyState} field
 * @param {number} inner how much deeper than its line the key is, behind dashes; a snippet keeps the line's indentation
 */
function option(key, field, inner) {
  const deeper = `\n${" ".repeat(inner + 2)}`;
  let more = ": ";
  if (field.list) more = `:${deeper}- `;
  else if (field.struct) more = `:${deeper}`;
  const completion = { label: key, detail: field.type, info: () => about(key, field), type: "property" };
  return snippetCompletion(`${key}${more}\${}`, completion);
}

export class Schema {
  /** @param {Record<string, VersionState>} versions */
  constructor(versions) {
    this.versions = versions;
  }

  /**
   * The structs of the version that the text names, else of the newest.
   * @param {Text} doc
   */
  structs(doc) {
    for (let at = 1; at <= Math.min(doc.lines, 50); at += 1) {
      const version = /^version: *["']?([\d.]+)/.exec(doc.line(at).text)?.[1];
      if (version && this.versions[version]) return this.versions[version].structs;
    }
    const newest = Object.keys(this.versions).sort().at(-1) ?? "";
    return this.versions[newest].structs;
  }

  /**
   * The keys of the mapping that a path leads to, or null.
   * @param {Text} doc
   * @param {string[]} path
   */
  keysAt(doc, path) {
    const structs = this.structs(doc);
    let name = "Config";
    for (const key of path) {
      name = structs[name]?.[key]?.struct ?? "";
      if (!name) return null;
    }
    return structs[name];
  }

  /**
   * The key of a line, with its path and what the schema knows of it; null where there is none.
   * @param {Text} doc
   * @param {number} number
   */
  keyOfLine(doc, number) {
    const { text, from } = doc.line(number);
    const line = parse(text);
    if (isBlank(text) || line.key === undefined) return null;
    const path = pathAbove(doc, number, line);
    const field = path && this.keysAt(doc, path)?.[line.key];
    return field ? { path: [...path, line.key], field, from: from + line.indent, length: line.key.length } : null;
  }

  /**
   * @param {import("@codemirror/autocomplete").CompletionContext} context
   * @returns {import("@codemirror/autocomplete").CompletionResult | null}
   */
  complete = (context) => {
    const { doc } = context.state;
    const here = doc.lineAt(context.pos);
    const before = parse(here.text.slice(0, context.pos - here.from));
    const word = context.matchBefore(/[\w./-]*/) ?? { from: context.pos, to: context.pos };
    if (/^\s*#/.test(here.text) || (word.from === word.to && !context.explicit)) return null;
    const path = pathAbove(doc, here.number, before);
    const keys = path && this.keysAt(doc, path);
    if (!keys) return null;
    if (before.key !== undefined) return this.values(keys[before.key], before.key, word.from);
    if (/\S\s/.test(before.rest)) return null;
    const there = siblings(doc, here.number, before);
    const inner = before.indent - (here.text.length - here.text.trimStart().length);
    const missing = Object.entries(keys).filter(([key]) => !there.has(key));
    const options = missing.map(([key, field]) => option(key, field, inner));
    return { from: word.from, options, validFor: /^[\w-]*$/ };
  };

  /**
   * @param {KeyState | undefined} field
   * @param {string} key
   * @param {number} from
   */
  values(field, key, from) {
    let known = field?.choices ?? [];
    if (key === "variant") known = ["flatcar"];
    if (key === "version") known = Object.keys(this.versions);
    if (!known.length) known = field?.type === "boolean" ? ["true", "false"] : (DEFAULT_VALUES[key] ?? []);
    if (!known.length) return null;
    return { from, options: known.map((label) => ({ label, type: "enum" })), validFor: /^[\w./-]*$/ };
  }

  /**
   * @param {import("@codemirror/view").EditorView} view
   * @param {number} pos
   */
  hover = (view, pos) => {
    const found = this.keyOfLine(view.state.doc, view.state.doc.lineAt(pos).number);
    if (!found || pos < found.from || pos > found.from + found.length) return null;
    const key = found.path.at(-1) ?? "";
    const create = () => ({ dom: about(key, found.field) });
    return { pos: found.from, end: found.from + found.length, above: true, create };
  };
}
