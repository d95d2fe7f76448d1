// @ts-check
// How a config is handed over on each platform: choose one, and see what to type. Nothing is run.
import { actOn, follow, makeRoot, unansweredChoices } from "../lib/card.js";
import { freshId, h, keep, say } from "../lib/dom.js";

/** @typedef {import("../state").PlatformsState} PlatformsState */

function makePiece() {
  const title = h("span");
  const badge = h("span", { class: "fk-badge" }, "unverified");
  const text = h("pre", { tabindex: "0", role: "region" });
  return { root: h("div", {}, title, " ", badge, text), title, badge, text };
}

export default {
  /** @param {{ model: import("../lib/card.js").Model<PlatformsState>, el: HTMLElement }} view */
  render({ model, el }) {
    const root = makeRoot(el, model, "platforms");
    const act = actOn(model);
    root.setAttribute("aria-label", "platforms");
    const headline = h("b");
    const id = freshId("platform");
    const list = h("select", { id });
    const unanswered = unansweredChoices(list);
    list.onchange = () => {
      unanswered.add(list.value);
      act("choose", { platform: list.value });
    };
    const title = h("b");
    const how = h("span");
    const verdict = h("div");
    const first = h("code");
    const firstLine = h("div", {}, "first: ", first);
    const pieces = h("div", { class: "fk-pieces" });
    const notes = h("div");
    root.append(
      h("header", {}, headline, h("label", { for: id }, "Platform"), list),
      h("div", { class: "fk-handover" }, h("div", {}, title, ": ", how), verdict, firstLine, pieces, notes),
    );
    return follow(model, (state) => {
      say(headline, state.headline);
      keep(list, state.choices, {
        key: ({ name }) => name,
        make: ({ name, label }) => ({ root: h("option", { value: name }, label) }),
      });
      if (unanswered.isSettledBy(state.chosen)) list.value = state.chosen;
      say(title, state.title);
      say(how, state.how);
      say(verdict, state.verdict);
      verdict.className = `fk-${state.kind}`;
      say(first, state.first);
      firstLine.hidden = !state.first;
      keep(pieces, state.pieces, {
        key: (_, at) => `${state.chosen} ${at}`,
        make: makePiece,
        update: (parts, piece) => {
          say(parts.title, piece.title);
          parts.badge.hidden = piece.verified;
          say(parts.text, piece.text);
          parts.text.setAttribute("aria-label", piece.title);
        },
      });
      keep(notes, state.notes, {
        key: (note) => note,
        make: (note) => ({ root: h("div", { class: "fk-dim" }, note) }),
      });
    });
  },
};
