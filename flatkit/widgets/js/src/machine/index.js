// @ts-check
// The machine panel: state, boot, slots, layers, facts and console of one machine, drawn in place.
import { actOn, follow, makeRoot, stateOf, unansweredChoices } from "../lib/card.js";
import { h } from "../lib/dom.js";
import { makeFlag } from "../lib/flag.js";
import { makeLayers } from "../lib/layers.js";
import { makeSlots } from "../lib/slots.js";
import { Tabs } from "../lib/tabs.js";
import { makeBoot } from "./boot.js";
import { makeHead } from "./head.js";
import { makeConsole, makeFacts } from "./pages.js";

/** @typedef {import("../state").MachineCardState} MachineCardState */

const LOOK_MS = 2000;

const PAGES = [
  { name: "boot", title: "Boot", make: makeBoot },
  { name: "slots", title: "Slots", make: makeSlots },
  { name: "layers", title: "Layers of /usr", make: makeLayers },
  { name: "facts", title: "Facts", make: makeFacts },
  { name: "console", title: "Console", make: makeConsole },
];

export default {
  /** @param {{ model: import("../lib/card.js").Model<MachineCardState>, el: HTMLElement }} view */
  render({ model, el }) {
    const root = makeRoot(el, model, "machine");
    const act = actOn(model);
    const head = makeHead(act);
    const pages = PAGES.map(({ name, title, make }) => ({
      name,
      title,
      draw: make,
      element: h("div", { class: `fk-pane fk-pane-${name} fk-inside`, tabindex: "0" }),
    }));
    const draws = pages.map(({ draw, element }) => draw(element));
    // Another view of this machine may turn the page; an answer that only repeats the old tab does not.
    let told = stateOf(model).tab;
    let shown = told;
    const unanswered = unansweredChoices(root);
    /** @param {string} name */
    const turn = (name) => {
      if (name !== shown) unanswered.add(name);
      shown = name;
      look();
    };
    const tabs = new Tabs({ label: "About this machine", pages, current: told, onShow: turn });
    root.append(head.root, tabs.bar, ...pages.map(({ element }) => element));
    tabs.draw();
    const drawFlag = makeFlag(root, act);

    const end = follow(model, (state) => {
      root.setAttribute("aria-label", `machine ${state.name}`);
      head.draw(state);
      drawFlag(state);
      for (const draw of draws) draw(state);
      if (unanswered.isSettledBy(state.tab) && state.tab !== told) {
        tabs.show(state.tab);
        shown = state.tab;
      }
      told = state.tab;
    });

    // The machine is asked only while the user looks at it. It may also have been changed or removed from outside.
    const look = () => {
      if (document.visibilityState === "visible" && root.getClientRects().length) act("look", { tab: tabs.current });
    };
    const clock = setInterval(look, LOOK_MS);
    look();
    return () => {
      clearInterval(clock);
      end();
    };
  },
};
