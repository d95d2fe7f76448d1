// @ts-check
// A prediction: one press commits to an answer; later the guess is put beside what happens.
import { allow, hasModifier, isAllowed, makeButton } from "../lib/card.js";
import { freshId, h, keep, say, sayOrHide } from "../lib/dom.js";

/** @param {import("../lib/card.js").Act} act */
export function makePrediction(act) {
  const id = freshId("ask");
  const ask = h("p", { id, class: "fk-ask" });
  const list = h("div", { class: "fk-choices", role: "group", "aria-labelledby": id });
  const comparison = h("div", { class: "fk-comparison", role: "status", "aria-live": "polite" });
  const note = h("div", { class: "fk-dim", role: "status", "aria-live": "polite" });
  const see = makeButton("Show what happens", () => act("see"), { title: "When you have run the cell" });
  const again = makeButton("Ask me again", () => act("again"), { title: "Forget my guess" });
  const buttons = () => /** @type {HTMLButtonElement[]} */ ([...list.children]);

  list.addEventListener("keydown", (event) => {
    if (hasModifier(event)) return;
    const all = buttons();
    const by = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 }[event.key];
    const at = Number(event.key) - 1;
    if (by) all[(all.indexOf(/** @type {HTMLButtonElement} */ (event.target)) + by + all.length) % all.length]?.focus();
    else if (all[at] && isAllowed(all[at])) act("choose", { choice: at });
    else return;
    event.preventDefault();
  });

  /** @param {import("../state").PredictionState} task */
  const draw = (task) => {
    say(ask, task.ask);
    keep(list, task.choices, {
      key: (_, at) => String(at),
      make: (text, at) => ({ root: makeButton(`${at + 1}  ${text}`, () => act("choose", { choice: at })) }),
    });
    for (const [at, button] of buttons().entries()) {
      button.setAttribute("aria-pressed", String(at === task.chosen));
      allow(button, !task.seen);
    }
    keep(comparison, task.comparison, {
      key: (_, at) => String(at),
      make: () => ({ root: h("div") }),
      update: ({ root }, line) => say(root, line),
    });
    comparison.lastElementChild?.classList.toggle("fk-ok", task.right);
    sayOrHide(note, task.note);
    see.hidden = task.seen || task.chosen === null;
    again.hidden = !task.seen;
  };
  return { parts: [ask, list, comparison, note, h("div", { class: "fk-more" }, see, again)], draw };
}
