// @ts-check
// The panel's two plain pages: facts as rows, and the console's last lines.
import { h, keep, say } from "../lib/dom.js";
import { sayAndFollow } from "../lib/scroll.js";

/** @param {HTMLElement} pane */
export function makeFacts(pane) {
  const empty = h(
    "p",
    { class: "fk-dim" },
    "The machine's hardware, address and resource use are shown here once it exists.",
  );
  const list = h("dl", { class: "fk-facts" });
  pane.append(empty, list);
  /** @param {import("../state").MachineCardState} state */
  return ({ facts, usage }) => {
    empty.hidden = facts.length > 0;
    keep(list, [...facts, ...usage], {
      key: ({ name }) => name,
      make: ({ name }) => {
        const value = h("dd");
        return { root: h("div", {}, h("dt", {}, name), value), value };
      },
      update: (parts, { value }) => say(parts.value, value),
    });
  };
}

/** @param {HTMLElement} pane */
export function makeConsole(pane) {
  const label = "the machine's console, last lines";
  const text = h("pre", { tabindex: "0", role: "log", "aria-label": label, "aria-live": "off" });
  pane.append(text);
  /** @param {import("../state").MachineCardState} state */
  return ({ console }) => sayAndFollow(text, console.join("\n") || "(nothing yet)");
}
