// @ts-check
// A quiz: one group of choices for each question, and the verdict on the chosen one.
import { unansweredChoices } from "../lib/card.js";
import { freshId, h, keep, say } from "../lib/dom.js";

/** @typedef {import("../state").QuestionState} QuestionState */

/**
 * @param {QuestionState} question
 * @param {number} number from 1
 * @param {import("../lib/card.js").Act} act
 */
function makeQuestion(question, number, act) {
  const name = freshId("question");
  const inputs = question.choices.map((_, choice) => {
    const onchange = () => {
      unanswered.add(choice);
      act("answer", { number, choice });
    };
    return h("input", { type: "radio", name, value: String(choice), onchange });
  });
  const labels = question.choices.map((text, at) => h("label", {}, inputs[at], h("span", {}, text)));
  const verdict = h("div", { role: "status", "aria-live": "polite" });
  const root = h("fieldset", {}, h("legend", {}, `${number}. ${question.ask}`), ...labels, verdict);
  const unanswered = unansweredChoices(root);
  return { root, inputs, verdict, unanswered };
}

/** @param {import("../lib/card.js").Act} act */
export function makeQuiz(act) {
  const list = h("div", { class: "fk-questions" });
  /** @param {import("../state").QuizState} task */
  const draw = ({ questions }) =>
    keep(list, questions, {
      key: (_, at) => String(at),
      make: (question, at) => makeQuestion(question, at + 1, act),
      update: ({ inputs, verdict, unanswered }, { chosen, said, right }) => {
        if (unanswered.isSettledBy(chosen)) for (const [at, input] of inputs.entries()) input.checked = at === chosen;
        say(verdict, chosen === null || inputs[chosen]?.checked ? said : "");
        verdict.className = right ? "fk-ok" : "fk-bad";
      },
    });
  return { parts: [list], draw };
}
