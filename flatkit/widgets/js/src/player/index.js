// The step player: a demo's steps with why, command, output and check mark; by mouse, by keys, and in large type on a stage.
import { h, makeRoot } from "../lib/dom.js";
import { allow, isAllowed, keep, say } from "../lib/keep.js";
import { makeStage } from "../lib/stage.js";

const KEYS = { n: "next", a: "all", r: "recorded" };

function drawStep(el, step, total, shown) {
  el.className = `fk-step fk-step-${step.state}`;
  if (step.state === "next" || step.state === "running") el.setAttribute("aria-current", "step");
  else el.removeAttribute("aria-current");
  const [head, body] = el.children;
  head.setAttribute("aria-expanded", String(shown));
  const [mark, title, time] = head.children;
  say(mark, step.mark);
  say(title, `${step.number}/${total}  ${step.title}`);
  say(time, step.seconds ? `${step.seconds.toFixed(1)} s` : "");
  body.hidden = !shown;
  const [why, line, output, verdict, hint] = body.children;
  say(why, step.why);
  say(line.firstChild, `${step.prompt} `);
  say(line.lastChild, step.command);
  const atEnd = output.scrollTop + output.clientHeight >= output.scrollHeight - 4;
  say(output, step.output);
  output.hidden = !step.output;
  if (atEnd) output.scrollTop = output.scrollHeight;
  say(verdict, step.found ? `${step.mark} ${step.found}` : step.boot);
  verdict.className = `fk-verdict ${step.state === "ok" ? "fk-ok" : step.state === "failed" ? "fk-bad" : "fk-dim"}`;
  hint.hidden = !step.hint;
  say(hint.lastChild, step.hint);
}

const makeStep = (toggle) =>
  h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "fk-step-head", onclick: toggle },
      h("span", { class: "fk-step-mark", "aria-hidden": "true" }),
      h("span"),
      h("span", { class: "fk-step-time fk-dim" }),
    ),
    h(
      "div",
      { class: "fk-step-body" },
      h("p", { class: "fk-why" }),
      h("div", { class: "fk-line" }, h("span", { class: "fk-dim" }), h("b")),
      h("pre", { tabindex: "0", role: "region", "aria-label": "what the command said" }),
      h("div"),
      h("div", { class: "fk-hint" }, "Next: ", h("code")),
    ),
  );

export default {
  render({ model, el }) {
    const root = makeRoot(el, model, "player");
    // What a person opened or closed by hand stays so; all others follow the play.
    const byHand = new Map();
    const act = (verb) => model.send({ verb });
    const button = (verb, text, title) =>
      h(
        "button",
        {
          type: "button",
          class: "fk-button",
          title,
          onclick: ({ currentTarget }) => isAllowed(currentTarget) && act(verb),
        },
        text,
      );
    const buttons = {
      next: button("next", "Play this step", "Key: n"),
      all: button("all", "Play all", "Key: a"),
      stop: button("stop", "Stop", "Stop, and remove the demo's machines"),
      recorded: button("recorded", "Recorded", "Go on with the recorded run, from this step. Key: r"),
    };
    buttons.next.classList.add("fk-primary");
    const notes = h(
      "button",
      {
        type: "button",
        class: "fk-button",
        "aria-pressed": "true",
        title: "The explanations, or the commands alone. Key: e",
      },
      "Explanations",
    );
    const stage = makeStage(root, (isOn) => {
      explain(explained[place()]);
      if (isOn) draw();
    });
    const title = h("b"),
      verdict = h("span"),
      banner = h("div", { class: "fk-recorded" });
    const list = h("ol", { class: "fk-steps" });
    root.append(
      h(
        "header",
        {},
        h("div", { class: "fk-title", role: "status", "aria-live": "polite" }, title, " ", verdict),
        banner,
      ),
      list,
      h(
        "div",
        { class: "fk-verbs", role: "toolbar", "aria-label": "Play" },
        ...Object.values(buttons),
        h("span", { class: "fk-space" }),
        notes,
        stage.full,
      ),
    );

    const draw = () => {
      const demo = model.get("demo");
      if (!demo.name) return;
      root.setAttribute("aria-label", `demo ${demo.name}`);
      say(title, demo.title);
      say(verdict, demo.verdict);
      verdict.className = `fk-${demo.kind}`;
      say(banner, demo.banner ? `● ${demo.banner}` : "");
      banner.hidden = !demo.banner;
      keep(
        list,
        demo.steps.map((step) => {
          const own = step.state !== "waiting" && (step.state !== "ok" || step.number === demo.last);
          const shown = byHand.get(step.number) ?? own;
          const toggle = () => {
            byHand.set(step.number, list.querySelector(`[data-key="${step.number}"] .fk-step-body`).hidden);
            draw();
          };
          return [String(step.number), () => makeStep(toggle), (li) => drawStep(li, step, demo.steps.length, shown)];
        }),
      );
      say(buttons.next, demo.over ? "Play again" : "Play this step");
      allow(buttons.next, !demo.working);
      allow(buttons.all, !demo.working);
      allow(buttons.stop, demo.running);
      allow(buttons.recorded, demo.recordable);
      const now = list.querySelector("[aria-current]");
      if (now && stage.isOn()) now.scrollIntoView({ block: "center" });
    };
    // On a stage the trainer tells the why: the audience sees it only when asked for.
    const explained = { page: true, stage: false };
    const place = () => (stage.isOn() ? "stage" : "page");
    const explain = (wanted) => {
      explained[place()] = wanted;
      notes.setAttribute("aria-pressed", String(wanted));
      root.classList.toggle("fk-bare", !wanted);
    };
    const turnNotes = () => explain(!explained[place()]);
    notes.onclick = turnNotes;
    root.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const verb = KEYS[event.key] ?? (event.key === "PageDown" && document.fullscreenElement ? "next" : null);
      if (verb && isAllowed(buttons[verb])) act(verb);
      else if (event.key === "e") turnNotes();
      else if (event.key === "f") stage.fill();
      else if (!verb) return;
      event.preventDefault();
    });
    model.on("change:demo", draw);
    draw();
    return () => {
      stage.end();
      model.off("change:demo", draw);
    };
  },
};
