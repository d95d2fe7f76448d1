// @ts-check
// Output that grows: it follows the end while the end is in sight.
import { say } from "./dom.js";

const NEAR_END = 4;

/**
 * Set the text of an element that scrolls. It stays at the end only if it was there.
 * @param {HTMLElement} el
 * @param {string} text
 */
export function sayAndFollow(el, text) {
  const wasAtEnd = el.scrollTop + el.clientHeight >= el.scrollHeight - NEAR_END;
  say(el, text);
  if (wasAtEnd) el.scrollTop = el.scrollHeight;
}
