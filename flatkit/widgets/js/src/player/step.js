// @ts-check
// One step of a demo: a head that opens and closes it, and below it why, command, output and verdict.
import { makeButton } from "../lib/card.js";
import { h, say, sayOrHide } from "../lib/dom.js";
import { sayAndFollow } from "../lib/scroll.js";

/** @typedef {import("../state").StepState} StepState */

/** @type {Record<string, { text: string, title: string }>} */
const MOVES = {
  rewind: { text: "Rewind to before this step", title: "The machine goes back to how it was then. Key: w" },
  jump: { text: "Go on from here", title: "The steps in between are left out. Key: j" },
};

/**
 * @param {(wasOpen: boolean) => void} toggle
 * @param {() => void} make makes the move that the step offers
 */
export function makeStep(toggle, make) {
  const mark = h("span", { class: "fk-step-mark", "aria-hidden": "true" });
  const title = h("span");
  const time = h("span", { class: "fk-step-time fk-dim" });
  const onclick = () => toggle(!body.hidden);
  const head = h("button", { type: "button", class: "fk-step-head", onclick }, mark, title, time);
  const why = h("p", { class: "fk-why" });
  const prompt = h("span", { class: "fk-dim" });
  const command = h("b");
  const output = h("pre", { tabindex: "0", role: "region", "aria-label": "what the command said" });
  const verdict = h("div");
  const bar = h("progress", { max: "1", "aria-label": "how much of the usual time is over", hidden: true });
  const cure = h("code");
  const hint = h("div", { class: "fk-hint" }, "Next: ", cure);
  const line = h("div", { class: "fk-line" }, prompt, command);
  const move = makeButton("", make, { class: "fk-button fk-step-move", hidden: true });
  const body = h("div", { class: "fk-step-body" }, why, line, output, bar, verdict, hint, move);
  const root = h("li", {}, head, body);
  return { root, head, mark, title, time, body, why, prompt, command, output, bar, verdict, hint, cure, move };
}

/** @type {Record<string, string>} */
const KINDS = { ok: "fk-ok", failed: "fk-bad" };

/**
 * @param {ReturnType<typeof makeStep>} parts
 * @param {StepState} step
 * @param {{ total: number, isOpen: boolean }} options
 */
export function drawStep(parts, step, { total, isOpen }) {
  parts.root.className = `fk-step fk-step-${step.state}`;
  if (step.state === "next" || step.state === "running") parts.root.setAttribute("aria-current", "step");
  else parts.root.removeAttribute("aria-current");
  parts.head.setAttribute("aria-expanded", String(isOpen));
  say(parts.mark, step.mark);
  say(parts.title, `${step.number}/${total}  ${step.title}`);
  say(parts.time, step.seconds ? `${step.seconds.toFixed(1)} s` : "");
  parts.body.hidden = !isOpen;
  say(parts.why, step.why);
  say(parts.prompt, `${step.prompt} `);
  say(parts.command, step.command);
  sayAndFollow(parts.output, step.output);
  parts.output.hidden = !step.output;
  say(parts.verdict, step.found ? `${step.mark} ${step.found}` : step.doing);
  parts.bar.hidden = step.share === null;
  if (step.share !== null) parts.bar.setAttribute("value", String(step.share));
  parts.verdict.className = `fk-verdict ${KINDS[step.state] ?? "fk-dim"}`;
  sayOrHide(parts.cure, step.hint);
  parts.hint.hidden = !step.hint;
  const offered = MOVES[step.move];
  parts.move.hidden = !offered;
  if (offered) {
    say(parts.move, offered.text);
    parts.move.title = offered.title;
  }
}
