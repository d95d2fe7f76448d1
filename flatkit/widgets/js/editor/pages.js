// The pages beside the text that are no text panes: the explanation in plain words, and what differs from another text.
import { h } from "../lib/dom.js";

/** What the config will do to a machine. `goTo(line)` leads into the text. */
export function drawExplanation(element, { explain = [], gets = [] }, ok, goTo) {
  if (!ok) return element.replaceChildren(h("p", { class: "fk-dim" }, "Nothing to explain yet: the text has faults."));
  const sentence = ({ text, reason, line }) =>
    h(
      "li", {}, text, " ",
      line ? h("button", { class: "fk-link fk-place", onclick: () => goTo(line) }, `line ${line}`) : null,
      reason ? h("div", { class: "fk-dim" }, `Why: ${reason}`) : null,
    );
  const parts = [
    h("p", {}, h("b", {}, "On the first boot, before anything else starts")),
    ...explain.map((group) => h("div", {}, h("h4", {}, group.title), h("ul", {}, group.sentences.map(sentence)))),
    explain.length ? null : h("p", {}, "Nothing: the config is empty. The machine starts, but nobody can log in."),
    gets.length ? h("div", {}, h("h4", {}, "In short, the machine gets"), h("ul", {}, gets.map((line) => h("li", {}, line)))) : null,
    h("p", { class: "fk-box" }, h("b", {}, "+ flatkit adds one thing"), " that you did not write: an SSH key of this workshop for the user core, so that it can log in. ",
      "Anywhere else only what you write counts."),
    h("p", { class: "fk-dim" }, "Ignition never runs again on this machine: to change the config, make a new machine."),
  ];
  return element.replaceChildren(...parts.filter(Boolean));
}

const WORDS = { solution: "the solution", start: "the start of this lesson" };
const SIGNS = { "+": "added", "-": "removed" };

/** What the person has changed since the start, and what is left to get to the solution. */
export function drawChanges(element, more) {
  const parts = Object.keys(WORDS).filter((name) => more[name]).map((name) => {
    const rows = more[name];
    const lines = rows.map(([mark, text]) =>
      h("div", { class: `fk-row${{ "+": " fk-plus", "-": " fk-minus", "…": " fk-gap" }[mark] ?? ""}` },
        h("span", { class: "fk-sign", "aria-hidden": "true" }, mark), SIGNS[mark] ? h("span", { class: "fk-unseen" }, `${SIGNS[mark]}: `) : null, text || " "));
    const title = name === "solution" ? "From your text to the solution" : "What you changed since the start of this lesson";
    return h("div", {}, h("h4", {}, title),
      rows.length ? h("div", { class: "fk-diff", role: "region", tabindex: "0", "aria-label": title }, lines) : h("p", { class: "fk-ok" }, `✓ Your text is the same as ${WORDS[name]}.`));
  });
  element.replaceChildren(...(parts.length ? parts : [h("p", { class: "fk-dim" }, "There is nothing to compare with.")]));
}
