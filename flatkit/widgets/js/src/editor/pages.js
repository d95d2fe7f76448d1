// @ts-check
// The pages beside the text that are no text panes: the explanation in plain words, and the difference from another
// text.
import { h } from "../lib/dom.js";

/** @typedef {import("../state").MoreState} MoreState */
/** @typedef {import("../state").DiffRow} DiffRow */

/**
 * What the config will do to a machine. `goTo(line)` leads into the text.
 * @param {HTMLElement} element
 * @param {MoreState} more
 * @param {boolean} ok
 * @param {(line: number) => void} goTo
 */
export function drawExplanation(element, { explain = [], gets = [] }, ok, goTo) {
  if (!ok) {
    element.replaceChildren(h("p", { class: "fk-dim" }, "Nothing to explain yet: the text has faults."));
    return;
  }
  /** @param {import("../state").SentenceState} sentence */
  const sentence = ({ text, reason, line }) => {
    const place = line && h("button", { class: "fk-link fk-place", onclick: () => goTo(line) }, `line ${line}`);
    return h("li", {}, text, " ", place || null, reason ? h("div", { class: "fk-dim" }, `Why: ${reason}`) : null);
  };
  const groups = explain.map(({ title, sentences }) =>
    h("div", {}, h("h4", {}, title), h("ul", {}, sentences.map(sentence))),
  );
  const nothing = h("p", {}, "Nothing: the config is empty. The machine starts, but nobody can log in over SSH.");
  const list = h(
    "ul",
    {},
    gets.map((line) => h("li", {}, line)),
  );
  element.replaceChildren(
    h("p", {}, h("b", {}, "On the first boot, before anything else starts")),
    ...(groups.length ? groups : [nothing]),
    ...(gets.length ? [h("div", {}, h("h4", {}, "In short, the machine gets"), list)] : []),
    h(
      "p",
      { class: "fk-box" },
      h("b", {}, "+ flatkit adds one thing"),
      " that you did not write: an SSH key of this workshop for the user core, so that it can log in. ",
      "Anywhere else only what you write counts.",
    ),
    h(
      "p",
      { class: "fk-dim" },
      "Ignition does not run again on this machine, unless flatcar-reset asks for it: ",
      "to change the config, make a new machine.",
    ),
  );
}

/** @type {Record<string, { kind: string, spoken: string }>} */
const MARKS = {
  "+": { kind: "fk-row fk-plus", spoken: "added: " },
  "-": { kind: "fk-row fk-minus", spoken: "removed: " },
  "…": { kind: "fk-row fk-gap", spoken: "" },
};
const SAME = { kind: "fk-row", spoken: "" };

/** @param {DiffRow} row signs for the eyes, words for a screen reader */
function diffRow({ mark, text }) {
  const { kind, spoken } = MARKS[mark] ?? SAME;
  const sign = h("span", { class: "fk-sign", "aria-hidden": "true" }, mark);
  return h("div", { class: kind }, sign, spoken ? h("span", { class: "fk-unseen" }, spoken) : null, text || " ");
}

/**
 * @param {DiffRow[]} rows
 * @param {string} title
 * @param {string} same
 */
function difference(rows, title, same) {
  if (!rows.length) return h("p", { class: "fk-ok" }, `✓ ${same}`);
  return h("div", { class: "fk-diff", role: "region", tabindex: "0", "aria-label": title }, rows.map(diffRow));
}

/**
 * What the user has changed since the start, and what is left to reach the solution: that opens on request only.
 * @param {HTMLElement} element
 * @param {MoreState} more
 */
export function drawChanges(element, { start, solution }) {
  const open = element.querySelector("details")?.open;
  const parts = [];
  if (start) {
    const title = "What you changed since the start of this lesson";
    parts.push(h("h4", {}, title), difference(start, title, "Your text is the same as the start of this lesson."));
  }
  if (solution) {
    const title = "From your text to the solution";
    const body = difference(solution, title, "Your text is the same as the solution.");
    parts.push(h("details", { open }, h("summary", {}, "Show the way from your text to the solution"), body));
  }
  element.replaceChildren(...parts);
}
