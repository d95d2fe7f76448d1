// @ts-check
// The panel's head: state, addresses, buttons, and what went wrong.
import { makeButton } from "../lib/card.js";
import { h, keep, say, sayOrHide } from "../lib/dom.js";

/** @typedef {import("../state").MachineCardState} MachineCardState */

/** @type {Record<string, { text: string, title: string, asks?: string }>} */
const VERBS = {
  cancel: { text: "Cancel", title: "Stop this; what was made is undone" },
  start: { text: "Start", title: "Switch it on" },
  stop: { text: "Stop", title: "Shut it down; its disk is kept" },
  restart: { text: "Restart", title: "Shut it down, and start it again" },
  rewind: {
    text: "Rewind",
    title: "Back to how it was, memory and disk, in seconds",
    asks: "Rewind? What happened since is gone",
  },
  unplug: {
    text: "Pull the plug",
    title: "Off without warning, as in a power cut",
    asks: "Pull the plug? It stops at once",
  },
  terminal: { text: "Terminal", title: "Type on the machine, logged in" },
};

/** @param {MachineCardState} state */
function kindOf({ error, state, busy }) {
  if (error || state === "failed") return "bad";
  if (busy) return "warn";
  return state === "running" ? "ok" : "dim";
}

/** @param {import("../lib/card.js").Act} act */
export function makeHead(act) {
  const mark = h("span", { class: "fk-mark", "aria-hidden": "true" });
  const name = h("b", { class: "fk-name" });
  const headline = h("span");
  const badge = h("span", { class: "fk-badge" });
  const urls = h("div", { class: "fk-urls" });
  const label = "What to do with this machine";
  const verbs = h("div", { class: "fk-verbs", role: "toolbar", tabindex: "-1", "aria-label": label });
  const why = h("div", { class: "fk-why" });
  const hint = h("code");
  const next = h("div", { class: "fk-next" }, "Next: ", hint);
  const card = h("div", { class: "fk-card", role: "alert" }, why, next);
  const said = h("div", { class: "fk-said" });
  const line = h("div", { class: "fk-state", role: "status", "aria-live": "polite" }, mark, name, " ", headline, badge);

  /** @param {MachineCardState} state */
  const draw = (state) => {
    say(mark, state.mark);
    say(name, state.name);
    say(headline, state.headline);
    headline.className = `fk-headline fk-${kindOf(state)}`;
    sayOrHide(badge, state.badge);
    keep(urls, state.urls, {
      key: ({ address, about }) => `${address} ${about}`,
      make: ({ address, about }) => {
        const link = h("a", { href: address, target: "_blank", rel: "noopener" }, address);
        return { root: h("div", {}, link, ` ${about}`) };
      },
    });
    const wasHere = verbs.contains(document.activeElement);
    keep(verbs, state.verbs, {
      key: (verb) => verb,
      make: (verb) => {
        const { text, ...more } = VERBS[verb];
        return { root: makeButton(text, () => act(verb), more) };
      },
    });
    // Focus stays in the toolbar when the pressed button is gone.
    if (wasHere && !verbs.contains(document.activeElement)) verbs.focus();
    card.hidden = !state.error;
    say(why, state.error ? `✗ ${state.error}` : "");
    next.hidden = !state.hint;
    say(hint, state.hint);
    keep(said, state.said, {
      key: (_, at) => String(at),
      make: () => ({ root: h("div", { class: "fk-dim" }) }),
      update: ({ root }, text) => say(root, text),
    });
  };
  return { root: h("header", {}, line, urls, verbs, card, said), draw };
}
