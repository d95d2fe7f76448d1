// The pages beside the text that are no text panes: the explanation in plain words, and what differs from another text.
import { h } from "../lib/dom.js";

/** What the config will do to a machine. `goTo(line)` leads into the text. */
export function drawExplanation(element, { explain = [], gets = [] }, ok, goTo) {
  if (!ok) return element.replaceChildren(h("p", { class: "fk-dim" }, "Nothing to explain yet: the text has faults."));
  const sentence = ({ text, reason, line }) =>
    h(
      "li",
      {},
      text,
      " ",
      line ? h("button", { class: "fk-link fk-place", onclick: () => goTo(line) }, `line ${line}`) : null,
      reason ? h("div", { class: "fk-dim" }, `Why: ${reason}`) : null,
    );
  const parts = [
    h("p", {}, h("b", {}, "On the first boot, before anything else starts")),
    ...explain.map((group) => h("div", {}, h("h4", {}, group.title), h("ul", {}, group.sentences.map(sentence)))),
    explain.length ? null : h("p", {}, "Nothing: the config is empty. The machine starts, but nobody can log in."),
    gets.length
      ? h(
          "div",
          {},
          h("h4", {}, "In short, the machine gets"),
          h(
            "ul",
            {},
            gets.map((line) => h("li", {}, line)),
          ),
        )
      : null,
    h(
      "p",
      { class: "fk-box" },
      h("b", {}, "+ flatkit adds one thing"),
      " that you did not write: an SSH key of this workshop for the user core, so that it can log in. ",
      "Anywhere else only what you write counts.",
    ),
    h("p", { class: "fk-dim" }, "Ignition never runs again on this machine: to change the config, make a new machine."),
  ];
  return element.replaceChildren(...parts.filter(Boolean));
}

const SIGNS = { "+": "added", "-": "removed" };
const ROWS = { "+": "fk-row fk-plus", "-": "fk-row fk-minus", "…": "fk-row fk-gap" };

/** A difference as lines; the signs are there for eyes, the words for those who hear it. */
function difference(rows, title, same) {
  if (!rows.length) return h("p", { class: "fk-ok" }, `✓ ${same}`);
  const row = ([mark, text]) =>
    h(
      "div",
      { class: ROWS[mark] ?? "fk-row" },
      h("span", { class: "fk-sign", "aria-hidden": "true" }, mark),
      SIGNS[mark] ? h("span", { class: "fk-unseen" }, `${SIGNS[mark]}: `) : null,
      text || " ",
    );
  return h("div", { class: "fk-diff", role: "region", tabindex: "0", "aria-label": title }, rows.map(row));
}

/** What the person has changed since the start, and what is left to get to the solution: only for who asks for it. */
export function drawChanges(element, { start, solution }) {
  const open = element.querySelector("details")?.open;
  const parts = [];
  if (start) {
    const title = "What you changed since the start of this lesson";
    parts.push(h("h4", {}, title), difference(start, title, "Your text is the same as the start of this lesson."));
  }
  if (solution) {
    const body = difference(solution, "From your text to the solution", "Your text is the same as the solution.");
    parts.push(h("details", { open }, h("summary", {}, "Show the way from your text to the solution"), body));
  }
  element.replaceChildren(...parts);
}
