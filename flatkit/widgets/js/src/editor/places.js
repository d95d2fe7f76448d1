// @ts-check
// From Python's places (line and column from 1, columns in whole characters) to the document's offsets, and small
// changes.

/** @typedef {import("@codemirror/state").Text} Text */
/** @typedef {import("../state").SpanState} SpanState */

const WIDE = /[\ud800-\udbff]/;

/**
 * The offset of a place; one outside the document becomes the nearest inside.
 * @param {Text} doc
 * @param {number} line
 * @param {number} column
 */
export function offsetOf(doc, line, column) {
  if (line < 1) return 0;
  if (line > doc.lines) return doc.length;
  const { from, text } = doc.line(line);
  const units = WIDE.test(text) ? [...text].slice(0, column - 1).join("").length : column - 1;
  return from + Math.max(0, Math.min(units, text.length));
}

/**
 * A span as offsets.
 * @param {Text} doc
 * @param {SpanState} span
 */
export function rangeOf(doc, { line, column, endLine, endColumn }) {
  const from = offsetOf(doc, line, column);
  return { from, to: Math.max(from, offsetOf(doc, endLine, endColumn)) };
}

/**
 * The lines that a span covers.
 * @param {Text} doc
 * @param {SpanState} span
 */
export function linesOf(doc, span) {
  const { from, to } = rangeOf(doc, span);
  const first = doc.lineAt(from).number;
  const last = doc.lineAt(to > from ? to - 1 : to).number;
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

/**
 * The smallest single change from one text to another, so that scroll, folds and cursor stay; null when they are equal.
 * @param {string} old
 * @param {string} text
 */
export function smallestChange(old, text) {
  if (old === text) return null;
  let from = 0;
  const most = Math.min(old.length, text.length);
  while (from < most && old[from] === text[from]) from += 1;
  let end = 0;
  while (end < most - from && old[old.length - 1 - end] === text[text.length - 1 - end]) end += 1;
  return { from, to: old.length - end, insert: text.slice(from, text.length - end) };
}

const LINE = /^(?<space> *)(?<dashes>(?:- +)*)(?<rest>.*)$/;
const OPENS_A_BLOCK = /^[\w-]+:\s*([|>][-+\d]*\s*)?(#.*)?$/;

/**
 * The last line of what a line begins: `key:` with all that is deeper below it (or a list at its side), else the line
 * itself.
 * @param {Text} doc
 * @param {number} number
 */
export function lastLineOf(doc, number) {
  const { space = "", dashes = "", rest = "" } = LINE.exec(doc.line(number).text)?.groups ?? {};
  if (!OPENS_A_BLOCK.test(rest)) return number;
  const mine = space.length + dashes.length;
  let last = number;
  for (let next = number + 1; next <= doc.lines; next += 1) {
    const { text } = doc.line(next);
    if (text.trim() === "") continue;
    const indent = text.length - text.trimStart().length;
    if (indent < mine || (indent === mine && (dashes || !text.trim().startsWith("- ")))) break;
    last = next;
  }
  return last;
}
