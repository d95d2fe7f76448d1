// @ts-check
// The step player: a demo's steps with why, command, output and check mark; by mouse, by keys, and in large type on a
// stage.
import { actOn, allow, follow, hasModifier, isAllowed, makeButton, makeRoot, makeVerbs, stateOf } from "../lib/card.js";
import { h, keep, say, sayOrHide } from "../lib/dom.js";
import { makeStage } from "../lib/stage.js";
import { makePicture } from "./picture.js";
import { drawStep, makeStep } from "./step.js";

/** @typedef {import("../state").PlayerState} PlayerState */
/** @typedef {"next" | "all" | "stop" | "recorded"} Verb */

/** @type {Record<string, Verb>} */
const KEYS = { n: "next", ArrowRight: "next", " ": "next", a: "all", r: "recorded" };
const KEYS_SHOWN = "Keys: n, space or → plays the next step, ↑ and ↓ move, a, e, f";

const VERBS = {
  next: { text: "Play this step", title: "Keys: n, space, →" },
  all: { text: "Play all", title: "Key: a" },
  stop: { text: "Stop", title: "Stop, and remove the demo's machines" },
  recorded: { text: "Recorded", title: "Go on with the recorded run, from this step. Key: r" },
};

/**
 * The button that shows and hides the explanations. On a stage the trainer explains, so they are hidden at first there.
 * @param {HTMLElement} root
 * @param {() => boolean} isOnStage
 */
function makeExplanations(root, isOnStage) {
  const wanted = { page: true, stage: false };
  const place = () => (isOnStage() ? "stage" : "page");
  const turn = () => {
    wanted[place()] = !wanted[place()];
    draw();
  };
  const title = "The explanations, or the commands alone. Key: e";
  const button = makeButton("Explanations", turn, { title });
  const draw = () => {
    button.setAttribute("aria-pressed", String(wanted[place()]));
    root.classList.toggle("fk-bare", !wanted[place()]);
  };
  draw();
  return { button, turn, draw };
}

export default {
  /** @param {{ model: import("../lib/card.js").Model<PlayerState>, el: HTMLElement }} view */
  render({ model, el }) {
    const root = makeRoot(el, model, "player");
    const act = actOn(model);
    const buttons = makeVerbs(act, VERBS);
    buttons.next.classList.add("fk-primary");
    const stage = makeStage(root, (isOn) => {
      explanations.draw();
      if (isOn) draw(stateOf(model));
    });
    const explanations = makeExplanations(root, stage.isOn);
    const title = h("b");
    const verdict = h("span");
    const banner = h("div", { class: "fk-recorded" });
    const picture = makePicture();
    const list = h("ol", { class: "fk-steps" });
    const status = h("div", { class: "fk-title", role: "status", "aria-live": "polite" }, title, " ", verdict);
    const space = h("span", { class: "fk-space" });
    const keys = h("small", { class: "fk-dim fk-keys" }, KEYS_SHOWN);
    const bar = [...Object.values(buttons), keys, space, explanations.button, stage.full];
    root.append(
      h("header", {}, status, banner),
      picture.root,
      list,
      h("div", { class: "fk-verbs", role: "toolbar", "aria-label": "Play" }, ...bar),
    );

    // What the user opened or closed stays so; all other steps follow the play.
    /** @type {Map<number, boolean>} */
    const byHand = new Map();

    /** @param {PlayerState} demo */
    const draw = (demo) => {
      root.setAttribute("aria-label", `demo ${demo.name}`);
      say(title, demo.title);
      say(verdict, demo.verdict);
      verdict.className = `fk-${demo.kind}`;
      picture.draw(demo.picture);
      sayOrHide(banner, demo.banner && `● ${demo.banner}`);
      keep(list, demo.steps, {
        key: ({ number }) => String(number),
        make: ({ number }) =>
          makeStep((wasOpen) => {
            byHand.set(number, !wasOpen);
            draw(stateOf(model));
          }),
        update: (parts, step) => {
          const follows = step.state !== "waiting" && (step.state !== "ok" || step.number === demo.last);
          drawStep(parts, step, { total: demo.steps.length, isOpen: byHand.get(step.number) ?? follows });
        },
      });
      say(buttons.next, demo.over ? "Play again" : "Play this step");
      allow(buttons.next, !demo.working);
      allow(buttons.all, !demo.working);
      allow(buttons.stop, demo.running);
      allow(buttons.recorded, demo.recordable);
      if (stage.isOn()) list.querySelector("[aria-current]")?.scrollIntoView({ block: "center" });
    };

    /**
     * Moves the focus from step to step.
     * @param {number} by
     */
    const move = (by) => {
      /** @type {HTMLElement[]} */
      const heads = Array.from(list.querySelectorAll("button.fk-step-head"));
      const at = heads.findIndex((head) => head.parentElement?.contains(document.activeElement));
      const current = heads.findIndex((head) => head.parentElement?.hasAttribute("aria-current"));
      heads[Math.min(Math.max(at < 0 ? Math.max(current, 0) : at + by, 0), heads.length - 1)]?.focus();
    };

    root.addEventListener("keydown", (event) => {
      if (hasModifier(event)) return;
      // On a button the space bar presses it; in a text the arrows scroll.
      const isAt = (/** @type {string} */ what) => event.target instanceof Element && event.target.matches(what);
      if ((event.key === " " && isAt("button")) || (isAt("pre") && event.key !== "n")) return;
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        move(event.key === "ArrowDown" ? 1 : -1);
        event.preventDefault();
        return;
      }
      const isRemote = event.key === "PageDown" && document.fullscreenElement !== null;
      const verb = isRemote ? "next" : KEYS[event.key];
      if (verb && isAllowed(buttons[verb])) act(verb);
      else if (event.key === "e") explanations.turn();
      else if (event.key === "f") stage.fill();
      else if (!verb) return;
      event.preventDefault();
    });
    const end = follow(model, draw);
    return () => {
      stage.end();
      end();
    };
  },
};
