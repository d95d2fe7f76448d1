// @ts-check
// The hints that are shown: words, a config with gaps, or lines to put in order.
import { h, keep, say } from "../lib/dom.js";
import { makeLines } from "./lines.js";

/** @typedef {import("../state").HintState} HintState */

function makeGaps() {
  const ask = h("p");
  const code = h("pre", { tabindex: "0", role: "region", "aria-label": "a config with gaps" });
  /** @param {HintState} hint */
  const draw = (hint) => {
    say(ask, hint.text);
    say(code, hint.code.trimEnd());
  };
  return { root: h("div", {}, ask, code), draw };
}

function makeWords() {
  const root = h("div");
  return { root, draw: (/** @type {HintState} */ hint) => say(root, hint.text) };
}

/** @param {import("../lib/card.js").Act} act */
export function makeHints(act) {
  const root = h("ol", { "aria-label": "Hints" });
  const makers = { words: makeWords, gaps: makeGaps, lines: () => makeLines(act) };
  /** @param {HintState[]} hints */
  const draw = (hints) =>
    keep(root, hints, {
      key: ({ kind }, at) => `${at} ${kind}`,
      make: ({ kind }) => {
        const hint = makers[kind]();
        return { root: h("li", {}, hint.root), hint };
      },
      update: (parts, hint) => parts.hint.draw(hint),
    });
  return { root, draw };
}
