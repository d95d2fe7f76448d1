// From Python's places (line and column from 1, columns in whole characters) to the document's offsets, and small changes.

const WIDE = /[\ud800-\udbff]/;

/** The offset of a place; what lies outside is drawn to the nearest that there is. */
export function offsetOf(doc, line, column) {
  if (line < 1) return 0;
  if (line > doc.lines) return doc.length;
  const { from, text } = doc.line(line);
  const units = WIDE.test(text) ? [...text].slice(0, column - 1).join("").length : column - 1;
  return from + Math.max(0, Math.min(units, text.length));
}

/** A span [line, column, end line, end column] as offsets; null stays null. */
export function rangeOf(doc, span) {
  if (!span) return null;
  const from = offsetOf(doc, span[0], span[1]);
  return { from, to: Math.max(from, offsetOf(doc, span[2], span[3])) };
}

/** The smallest single change from one text to another, so that scroll, folds and cursor stay; null when they are equal. */
export function smallestChange(old, text) {
  if (old === text) return null;
  let from = 0;
  const most = Math.min(old.length, text.length);
  while (from < most && old[from] === text[from]) from += 1;
  let end = 0;
  while (end < most - from && old[old.length - 1 - end] === text[text.length - 1 - end]) end += 1;
  return { from, to: old.length - end, insert: text.slice(from, text.length - end) };
}

/** The last line of what a line says: with `key:` all that is deeper below it (or a list at its side), else the line itself. */
export function lastLineOf(doc, number) {
  const [, space, dashes, rest] = /^( *)((?:- +)*)(.*)$/.exec(doc.line(number).text);
  if (!/^[\w-]+:\s*([|>][-+\d]*\s*)?(#.*)?$/.test(rest)) return number;
  const mine = space.length + dashes.length;
  let last = number;
  for (let next = number + 1; next <= doc.lines; next += 1) {
    const { text } = doc.line(next);
    if (text.trim() === "") continue;
    const indent = /^ */.exec(text)[0].length;
    if (indent < mine || (indent === mine && (dashes || !text.trim().startsWith("- ")))) break;
    last = next;
  }
  return last;
}
