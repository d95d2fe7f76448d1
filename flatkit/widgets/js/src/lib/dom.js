// @ts-check
// Small helpers that the widgets share: elements, changing them in place, and the widget's root.

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * Make an element: `h("button", { class: "x", onclick }, "text", child)`. Null and false attributes are left out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} attributes
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (value === true) el.setAttribute(name, "");
    else if (value !== null && value !== false && value !== undefined) el.setAttribute(name, value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined && child !== false) el.append(child);
  return el;
}

let counter = 0;

/**
 * An id that no other element on the page has.
 * @param {string} stem
 */
export function freshId(stem) {
  counter += 1;
  return `fk-${stem}-${counter}-${Math.random().toString(36).slice(2, 8)}`;
}

/**
 * Set an element's text, if it differs: focus, selection and scroll position stay.
 * @param {Element | Node} el
 * @param {string} text
 */
export function say(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/**
 * Set an element's text, if it differs; an empty one is hidden.
 * @param {HTMLElement} el
 * @param {string} text
 */
export function sayOrHide(el, text) {
  say(el, text);
  el.hidden = !text;
}

/** @type {WeakMap<Element, any>} */
const partsOf = new WeakMap();

/**
 * Bring the children of `el` to `rows`, in place. `make` returns the parts of a new row, `update` fills them in.
 * @template Row
 * @template {{ root: HTMLElement }} Parts
 * @param {Element} el
 * @param {Row[]} rows
 * @param {{ key: (row: Row, at: number) => string, make: (row: Row, at: number) => Parts,
 *   update?: (parts: Parts, row: Row) => void }} how
 */
export function keep(el, rows, { key, make, update }) {
  const old = new Map(Array.from(el.children, (child) => [/** @type {HTMLElement} */ (child).dataset.key, child]));
  for (const [at, row] of rows.entries()) {
    const name = key(row, at);
    let child = old.get(name);
    if (!child) {
      const parts = make(row, at);
      child = parts.root;
      parts.root.dataset.key = name;
      partsOf.set(child, parts);
    }
    old.delete(name);
    if (el.children[at] !== child) el.insertBefore(child, el.children[at] ?? null);
    update?.(partsOf.get(child), row);
  }
  for (const child of old.values()) child.remove();
}
