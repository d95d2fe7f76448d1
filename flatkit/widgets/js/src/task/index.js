// @ts-check
// An exercise, a quiz or a prediction: its state, its hints one by one, what was done; on the page, or in large type
// on a stage.
import { actOn, allow, follow, hasModifier, makeRoot, makeVerbs } from "../lib/card.js";
import { h, say } from "../lib/dom.js";
import { makeFlag } from "../lib/flag.js";
import { makeStage } from "../lib/stage.js";
import { makeExercise } from "./exercise.js";
import { makePrediction } from "./prediction.js";
import { makeQuiz } from "./quiz.js";

/** @typedef {import("../state").ExerciseState} ExerciseState */
/** @typedef {ExerciseState | import("../state").QuizState | import("../state").PredictionState} TaskState */

const VERBS = {
  check: { text: "Check again", title: "Look at the result once more" },
  hint: { text: "Hint", title: "One more hint" },
  solve: { text: "Show me", title: "Do it for me, and show how" },
  over: { text: "Start over", title: "Begin again" },
};

/** @type {Record<string, string>} */
const KINDS = { passed: "ok", wrong: "bad" }; // "shown" and what was not tried are neither

/** @param {string} state */
const kindOf = (state) => `fk-${KINDS[state] ?? "dim"}`;

export default {
  /** @param {{ model: import("../lib/card.js").Model<TaskState>, el: HTMLElement }} view */
  render({ model, el }) {
    const root = makeRoot(el, model, "player");
    root.classList.add("fk-task");
    const act = actOn(model);
    const stage = makeStage(root, () => {});
    let kept = "";
    const asks = () => `Start over? ${kept ? `Your text is kept as ${kept}` : "What you made for it is removed"}`;
    const verbs = makeVerbs(act, { ...VERBS, over: { ...VERBS.over, asks } });
    verbs.check.classList.add("fk-primary");
    const title = h("b");
    const state = h("span");
    const body = h("div", { class: "fk-task-body" });
    const status = h("div", { class: "fk-title", role: "status", "aria-live": "polite" }, title, " ", state);
    const bar = [...Object.values(verbs), h("span", { class: "fk-space" }), stage.full];
    root.append(
      h("header", {}, status),
      body,
      h("div", { class: "fk-verbs", role: "toolbar", "aria-label": "This task" }, ...bar),
    );
    const drawFlag = makeFlag(root, act);
    const exercise = makeExercise(act);
    const quiz = makeQuiz(act);
    const prediction = makePrediction(act);

    /** @param {TaskState} task */
    const draw = (task) => {
      root.setAttribute("aria-label", `${task.kind} ${task.name}`);
      drawFlag(task);
      say(title, `${task.name}  ${task.title}`);
      say(state, `${task.mark} ${task.state}`);
      state.className = kindOf(task.state);
      for (const button of Object.values(verbs)) button.hidden = task.kind !== "exercise";
      const { parts } = { exercise, quiz, prediction }[task.kind];
      if (body.firstChild !== parts[0]) body.replaceChildren(...parts);
      if (task.kind === "quiz") return quiz.draw(task);
      if (task.kind === "prediction") return prediction.draw(task);
      kept = task.files.map((file) => `${file}~`).join(" and ");
      for (const verb of /** @type {const} */ (["solve", "over"])) {
        verbs[verb].title = `${VERBS[verb].title}${kept && `; my text is kept as ${kept}`}`;
      }
      exercise.draw(task, kindOf(task.state));
      for (const button of Object.values(verbs)) allow(button, !task.working);
      say(verbs.check, task.working ? "Checking …" : "Check again");
      say(verbs.hint, `Hint (${task.left} left)`);
      allow(verbs.hint, !task.working && task.left > 0);
    };

    root.addEventListener("keydown", (event) => {
      if (event.key !== "f" || hasModifier(event)) return;
      stage.fill();
      event.preventDefault();
    });
    const end = follow(model, draw);
    return () => {
      stage.end();
      end();
    };
  },
};
