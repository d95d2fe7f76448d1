// @ts-check
// An exercise: what to do, what was found, the hints shown so far, and what was done for the learner.
import { h, keep, say } from "../lib/dom.js";
import { makeHints } from "./hints.js";

function makeDone() {
  const line = h("b");
  const output = h("pre", { tabindex: "0", role: "region" });
  return { root: h("div", {}, h("div", { class: "fk-line" }, line), output), line, output };
}

/** @param {import("../lib/card.js").Act} act */
export function makeExercise(act) {
  const what = h("p");
  const found = h("div", { role: "status", "aria-live": "polite" });
  const hints = makeHints(act);
  const done = h("div");
  const notes = h("div", { class: "fk-dim" });
  /**
   * @param {import("../state").ExerciseState} task
   * @param {string} kind
   */
  const draw = (task, kind) => {
    say(what, task.task);
    say(found, task.found);
    found.className = `fk-found ${kind}`;
    hints.draw(task.hints);
    keep(done, task.done, {
      key: (_, at) => String(at),
      make: makeDone,
      update: (parts, { line, output }) => {
        say(parts.line, line);
        say(parts.output, output);
        parts.output.hidden = !output;
        parts.output.setAttribute("aria-label", `what came of ${line}`);
      },
    });
    say(notes, task.notes.join("\n"));
  };
  return { parts: [what, found, hints.root, done, notes], draw };
}
