// @ts-check
// The channels: the version that each offers, and the version that each machine runs.
import { follow, makeRoot } from "../lib/card.js";
import { h, keep, say, sayOrHide } from "../lib/dom.js";

/** @typedef {import("../state").ChannelsState} ChannelsState */

/**
 * A table with a row for each value of `draw`.
 * @param {string[]} titles
 */
function makeTable(titles) {
  const body = h("tbody");
  const head = h(
    "tr",
    {},
    titles.map((title) => h("th", { scope: "col" }, title)),
  );
  const root = h("table", {}, h("thead", {}, head), body);
  /** @param {string[][]} rows the first cell of a row is its key */
  const draw = (rows) => {
    root.hidden = !rows.length;
    keep(body, rows, {
      key: (cells) => cells[0],
      make: (cells) => ({
        root: h(
          "tr",
          {},
          cells.map(() => h("td")),
        ),
      }),
      update: (parts, cells) => {
        for (const [at, cell] of cells.entries()) say(parts.root.children[at], cell);
      },
    });
  };
  return { root, draw };
}

const NO_SERVER = "No update server runs here: fk.channels().serve() starts one.";

export default {
  /** @param {{ model: import("../lib/card.js").Model<ChannelsState>, el: HTMLElement }} view */
  render({ model, el }) {
    const root = makeRoot(el, model, "channels");
    root.setAttribute("aria-label", "update channels");
    const url = h("p", { class: "fk-dim" });
    const offers = makeTable(["channel", "offers"]);
    const machines = makeTable(["machine", "follows", "runs", "state", "seen"]);
    const none = h("p", { class: "fk-dim" });
    root.append(
      h("div", { class: "fk-tables", role: "status", "aria-live": "polite" }, url, offers.root, machines.root, none),
    );
    return follow(model, (state) => {
      sayOrHide(url, state.url && `Update server for machines on this host: ${state.url}`);
      offers.draw(state.offers.map(({ channel, version }) => [channel, version]));
      machines.draw(
        state.machines.map(({ name, follows, version, state, seen }) => [name, follows, version, state, seen]),
      );
      const start = state.url || state.offers.length ? "" : ` ${NO_SERVER}`;
      sayOrHide(none, state.machines.length ? "" : `No machine has asked yet.${start}`);
    });
  },
};
