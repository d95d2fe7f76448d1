// @ts-check
// A card: its root, its state from Python, and its buttons, which send verbs.
import { h } from "./dom.js";

/**
 * What anywidget hands out for a model (flatkit/widgets/card.py).
 * @template State
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(message: object) => void} send
 * @property {(events: string, callback: (...values: any[]) => void) => void} on
 * @property {(events: string, callback: (...values: any[]) => void) => void} off
 * @property {{ get_model: (id: string) => Promise<{ comm_live: boolean }> }} widget_manager
 * @property {State} [_state] only tells the type checker what `state` is
 */

/** @typedef {(verb: string, more?: object) => void} Act sends a verb to Python */

/**
 * @template State
 * @param {Model<State>} model
 * @returns {State}
 */
export const stateOf = (model) => model.get("state");

/**
 * Draw now and whenever the state changes. Returns what ends that.
 * @template State
 * @param {Model<State>} model
 * @param {(state: State) => void} draw
 */
export function follow(model, draw) {
  const redraw = () => draw(stateOf(model));
  model.on("change:state", redraw);
  redraw();
  return () => model.off("change:state", redraw);
}

/**
 * @param {Model<any>} model
 * @returns {Act}
 */
export const actOn =
  (model) =>
  (verb, more = {}) =>
    model.send({ verb, ...more });

/**
 * The learner's choices inside `el` that Python has not answered yet. Its answers come late and one by one: the answer
 * to an earlier choice must not take the present one back.
 * @template Value
 * @param {HTMLElement} el
 */
export function unansweredChoices(el) {
  /** @type {Value[]} */
  let waiting = [];
  el.addEventListener("focusout", ({ relatedTarget }) => {
    // An answer that never comes must not hold the card for ever.
    if (!el.contains(/** @type {Node | null} */ (relatedTarget))) waiting = [];
  });
  return {
    /** @param {Value} value */
    add: (value) => void waiting.push(value),
    /**
     * Whether this answer of Python is the latest word.
     * @param {Value | null} value
     */
    isSettledBy(value) {
      if (waiting[0] === value) waiting.shift();
      return waiting.length === 0;
    },
  };
}

/**
 * Whether the kernel behind a model is there; `changed()` is called when that changes. anywidget hands out a proxy that
 * does not know, so the widget manager is asked for the model by its trait `ident`.
 * @param {Model<any>} model
 * @param {() => void} changed
 */
export function lifeOf(model, changed) {
  const life = { isAlive: true };
  model.on("comm_live_update", async () => {
    try {
      life.isAlive = (await model.widget_manager.get_model(model.get("ident"))).comm_live !== false;
    } catch {
      life.isAlive = false; // the manager has forgotten it
    }
    changed();
  });
  return life;
}

// Lumino looks for a key's command from the focused element upwards, and stops at this attribute.
const SUPPRESS = "data-lm-suppress-shortcuts";

/**
 * The widget's root. JupyterLab's shortcuts are off inside it. While the kernel is gone, a line at its top says so.
 * @param {HTMLElement} el
 * @param {Model<any>} model
 * @param {string} name
 */
export function makeRoot(el, model, name) {
  const gone = h(
    "div",
    { class: "fk-gone", role: "status", "aria-live": "assertive", hidden: true },
    "⚠ The kernel has restarted, so nothing here can answer. Run this cell again to go on.",
  );
  const root = h("section", { class: `fk-widget fk-${name}`, [SUPPRESS]: "true" }, gone);
  // JupyterLab's selectors match the focused element itself, before they come to the root.
  root.addEventListener("focusin", ({ target }) => target instanceof Element && target.setAttribute(SUPPRESS, "true"));
  el.append(root);
  const life = lifeOf(model, () => {
    gone.hidden = life.isAlive;
    root.classList.toggle("fk-is-gone", !life.isAlive);
  });
  return root;
}

/**
 * Whether a button may be pressed now. It is not `disabled`: that would take the focus away from it.
 * @param {HTMLElement} button
 * @param {boolean} may
 */
export const allow = (button, may) => button.setAttribute("aria-disabled", String(!may));

/** @param {HTMLElement} button */
export const isAllowed = (button) => button.getAttribute("aria-disabled") !== "true";

/**
 * A button. With `asks` the first press puts that question in its place, and only the second one acts.
 * Escape, or leaving the button, takes the question back.
 * @param {string} text
 * @param {() => void} press not called while the button is not allowed
 * @param {Record<string, any>} more attributes, and `asks`: the question, or what returns it
 */
export function makeButton(text, press, { asks = "", ...more } = {}) {
  const button = h("button", { type: "button", class: "fk-button", ...more }, text);
  let isAsking = false;
  /** @param {boolean} on */
  const ask = (on) => {
    isAsking = on;
    button.textContent = on ? (typeof asks === "function" ? asks() : asks) : text;
  };
  button.addEventListener("click", () => {
    if (!isAllowed(button)) return;
    const acts = !asks || isAsking;
    if (asks) ask(!isAsking);
    if (acts) press();
  });
  button.addEventListener("blur", () => isAsking && ask(false));
  button.addEventListener("keydown", (event) => event.key === "Escape" && isAsking && ask(false));
  return button;
}

/**
 * A button for each verb.
 * @template {string} Verb
 * @param {Act} act
 * @param {Record<Verb, { text: string, title: string, asks?: string | (() => string) }>} labels
 */
export function makeVerbs(act, labels) {
  /** @type {[string, { text: string, title: string, asks?: string | (() => string) }][]} */
  const entries = Object.entries(labels);
  const buttons = entries.map(([verb, { text, ...more }]) => [verb, makeButton(text, () => act(verb), more)]);
  return /** @type {Record<Verb, HTMLButtonElement>} */ (Object.fromEntries(buttons));
}

/**
 * Whether a key press is a command to the browser, not to a card.
 * @param {KeyboardEvent} event
 */
export const hasModifier = (event) => event.ctrlKey || event.altKey || event.metaKey;
