// @ts-check
// The step player: a demo's steps with why, command, output and check mark; by mouse, by keys, and in large type on a
// stage.
import { actOn, allow, follow, hasModifier, isAllowed, makeButton, makeRoot, makeVerbs, stateOf } from "../lib/card.js";
import { h, keep, say, sayOrHide } from "../lib/dom.js";
import { makeStage } from "../lib/stage.js";
import { makePicture } from "./picture.js";
import { drawStep, makeStep } from "./step.js";

/** @typedef {import("../state").PlayerState} PlayerState */
/** @typedef {"next" | "all" | "again" | "skip" | "stop" | "recorded"} Verb */

/** @type {Record<string, Verb>} */
const KEYS = { n: "next", ArrowRight: "next", " ": "next", a: "all", g: "again", s: "skip", r: "recorded" };
const KEYS_SHOWN = "Keys: n, space or → plays the next step, b or ← looks back, ↑ ↓ g s w j a e f";

const VERBS = {
  next: { text: "Play this step", title: "Keys: n, space, →" },
  all: { text: "Play all", title: "Key: a" },
  again: { text: "Again", title: "Run the step again that ran last, on the machine as it is. Key: g" },
  skip: { text: "Skip", title: "Leave this step out. Key: s" },
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
    const lookTitle = "Look at the step before; the machine stays as it is. Keys: b, ←";
    const back = makeButton("Back", () => lookBack(), { title: lookTitle });
    const { next, all, ...others } = buttons;
    const bar = [next, all, back, ...Object.values(others), keys, space, explanations.button, stage.full];
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
          makeStep(
            (wasOpen) => {
              byHand.set(number, !wasOpen);
              draw(stateOf(model));
            },
            () => makeMove(number),
          ),
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
      allow(buttons.again, demo.again);
      allow(buttons.skip, demo.skip);
      // A page of recorded runs has neither.
      buttons.again.hidden = buttons.skip.hidden = demo.again === undefined;
      // A presenter who looks back stays there.
      if (stage.isOn() && !list.contains(document.activeElement))
        list.querySelector("[aria-current]")?.scrollIntoView({ block: "center" });
    };

    /** The heads of the steps, the one with the focus and the one where the demo is (-1: none). */
    const findSteps = () => {
      /** @type {HTMLElement[]} */
      const heads = Array.from(list.querySelectorAll("button.fk-step-head"));
      const at = heads.findIndex((head) => head.parentElement?.contains(document.activeElement));
      const current = heads.findIndex((head) => head.parentElement?.hasAttribute("aria-current"));
      return { heads, at, current };
    };

    /**
     * Moves the focus from step to step.
     * @param {number} by
     */
    const move = (by) => {
      const { heads, at, current } = findSteps();
      heads[Math.min(Math.max(at < 0 ? Math.max(current, 0) : at + by, 0), heads.length - 1)]?.focus();
    };

    /** Opens the step before, and moves the focus there. */
    const lookBack = () => {
      const { heads, at, current } = findSteps();
      const from = at >= 0 ? at : current >= 0 ? current : heads.length;
      const target = Math.max(from - 1, 0);
      byHand.set(target + 1, true);
      draw(stateOf(model));
      heads[target]?.focus();
      heads[target]?.scrollIntoView({ block: "center" });
    };

    /**
     * Rewinds to before a step that was played, or goes on from one that was not.
     * @param {number} number
     */
    const makeMove = (number) => {
      const offered = stateOf(model).steps[number - 1]?.move;
      if (!offered) return;
      for (const one of byHand.keys()) if (one >= number) byHand.delete(one);
      act(offered, { step: number });
    };

    /**
     * The keys w and j: at the step with the focus; without one, w is for the step that was played last.
     * @param {string} wanted
     */
    const moveHere = (wanted) => {
      const { at } = findSteps();
      const { steps, last } = stateOf(model);
      const number = at >= 0 ? at + 1 : wanted === "rewind" ? last : 0;
      if (steps[number - 1]?.move === wanted) makeMove(number);
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
      // A remote control turns pages.
      const isRemote = document.fullscreenElement !== null;
      const verb = isRemote && event.key === "PageDown" ? "next" : KEYS[event.key];
      const isBack = event.key === "b" || event.key === "ArrowLeft" || (isRemote && event.key === "PageUp");
      if (verb && isAllowed(buttons[verb])) act(verb);
      else if (isBack) lookBack();
      else if (event.key === "w") moveHere("rewind");
      else if (event.key === "j") moveHere("jump");
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
