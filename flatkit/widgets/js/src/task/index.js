// An exercise or a quiz: how it stands, its hints one by one, what was done; on the page, or in large type on a stage.
import { freshId, h, makeRoot } from "../lib/dom.js";
import { allow, isAllowed, keep, say } from "../lib/keep.js";
import { makeStage } from "../lib/stage.js";

const KINDS = { passed: "ok", wrong: "bad" };
const kindOf = (state) => `fk-${KINDS[state] ?? "dim"}`;

function drawExercise(body, task) {
  if (!body.children.length)
    body.append(
      h("p"),
      h("div", { class: "fk-found", role: "status", "aria-live": "polite" }),
      h("ol", { "aria-label": "Hints" }),
      h("div"),
      h("div", { class: "fk-dim" }),
    );
  const [what, found, hints, done, note] = body.children;
  say(what, task.task);
  say(found, task.found);
  found.className = `fk-found ${kindOf(task.state)}`;
  keep(
    hints,
    task.hints.map((hint, at) => [String(at), () => h("li"), (li) => say(li, hint)]),
  );
  keep(
    done,
    task.done.map(([line, output], at) => [
      String(at),
      () => h("div", {}, h("div", { class: "fk-line" }, h("b")), h("pre", { tabindex: "0", role: "region" })),
      (el) => {
        const [head, pre] = el.children;
        say(head.firstChild, line);
        say(pre, output);
        pre.hidden = !output;
        pre.setAttribute("aria-label", `what came of ${line}`);
      },
    ]),
  );
  say(note, task.notes.join("\n"));
}

function drawQuiz(body, task, act) {
  keep(
    body,
    task.questions.map((question, at) => [
      String(at),
      () => {
        const name = freshId("question");
        const choices = question.choices.map((choice, number) =>
          h(
            "label",
            {},
            h("input", {
              type: "radio",
              name,
              value: String(number),
              onchange: () => act({ verb: "answer", number: at + 1, choice: number }),
            }),
            h("span", {}, choice),
          ),
        );
        return h(
          "fieldset",
          {},
          h("legend", {}, `${at + 1}. ${question.ask}`),
          ...choices,
          h("div", { role: "status", "aria-live": "polite" }),
        );
      },
      (el) => {
        for (const input of el.querySelectorAll("input")) input.checked = Number(input.value) === question.chosen;
        say(el.lastChild, question.said);
        el.lastChild.className = question.right ? "fk-ok" : "fk-bad";
      },
    ]),
  );
}

function makeVerbs(act) {
  const button = (verb, text, title) =>
    h(
      "button",
      {
        type: "button",
        class: "fk-button",
        title,
        onclick: ({ currentTarget }) => isAllowed(currentTarget) && act({ verb }),
      },
      text,
    );
  const verbs = {
    check: button("check", "Check again", "Look at the result once more"),
    hint: button("hint", "Hint", "One more hint"),
    solve: button("solve", "Show me", "Do it for me, and show how; my text is kept as FILE~"),
    over: button("over", "Start over", "Begin again; my text is kept as FILE~"),
  };
  verbs.check.classList.add("fk-primary");
  return verbs;
}

export default {
  render({ model, el }) {
    const root = makeRoot(el, model, "player");
    root.classList.add("fk-task");
    const act = (content) => model.send(content);
    const stage = makeStage(root, () => {});
    const verbs = makeVerbs(act);
    const title = h("b"),
      state = h("span"),
      body = h("div", { class: "fk-task-body" });
    const bar = h(
      "div",
      { class: "fk-verbs", role: "toolbar", "aria-label": "This task" },
      ...Object.values(verbs),
      h("span", { class: "fk-space" }),
      stage.full,
    );
    root.append(
      h("header", {}, h("div", { class: "fk-title", role: "status", "aria-live": "polite" }, title, " ", state)),
      body,
      bar,
    );
    const draw = () => {
      const task = model.get("task");
      if (!task.name) return;
      root.setAttribute("aria-label", `${task.kind} ${task.name}`);
      say(title, `${task.name}  ${task.title}`);
      say(state, `${task.mark} ${task.state}`);
      state.className = kindOf(task.state);
      if (task.kind === "quiz") drawQuiz(body, task, act);
      else drawExercise(body, task);
      for (const button of Object.values(verbs)) {
        button.hidden = task.kind === "quiz";
        allow(button, !task.working);
      }
      if (task.kind === "quiz") return;
      say(verbs.check, task.working ? "Checking …" : "Check again");
      say(verbs.hint, `Hint (${task.left} left)`);
      allow(verbs.hint, !task.working && task.left > 0);
    };
    root.addEventListener("keydown", (event) => {
      if (event.key !== "f" || event.ctrlKey || event.altKey || event.metaKey) return;
      stage.fill();
      event.preventDefault();
    });
    model.on("change:task", draw);
    draw();
    return () => {
      stage.end();
      model.off("change:task", draw);
    };
  },
};
