// @ts-check
// The two slots of /usr, which one the next boot takes, and how far an update is.
import { h, keep, say, sayOrHide } from "./dom.js";

/** @typedef {import("../state").SlotState} SlotState */

function makeSlot() {
  const name = h("h4");
  const version = h("div", { class: "fk-slot-version" });
  const state = h("div", { class: "fk-slot-state" });
  const flags = h("dl");
  return { root: h("section", { role: "group" }, name, version, state, flags), name, version, state, flags };
}

/**
 * @param {ReturnType<typeof makeSlot>} parts
 * @param {SlotState} slot
 */
function drawSlot({ root, name, version, state, flags }, slot) {
  root.className = `fk-slot${slot.running ? " fk-slot-running" : ""}${slot.next ? " fk-slot-next" : ""}`;
  root.setAttribute("aria-label", `${slot.label}: ${slot.state}`);
  say(name, slot.label);
  say(version, slot.version || "version not seen yet");
  version.classList.toggle("fk-dim", !slot.version);
  say(state, `${slot.running ? "●" : slot.next ? "→" : "○"} ${slot.state}`);
  const rows = [
    { key: "priority", value: slot.priority },
    { key: "tries", value: slot.tries },
    { key: "successful", value: Number(slot.successful) },
  ];
  keep(flags, rows, {
    key: ({ key }) => key,
    make: ({ key }) => {
      const value = h("dd");
      return { root: h("div", {}, h("dt", {}, key), value), value };
    },
    update: (parts, row) => say(parts.value, String(row.value)),
  });
}

/** @param {string} verity */
const verityInWords = (verity) =>
  verity === "V"
    ? "dm-verity: everything read from the running /usr so far is valid (V)."
    : `dm-verity reports "${verity}": something that was read differs from what was signed.`;

/** @param {HTMLElement} pane */
export function makeSlots(pane) {
  const story = h("p", { role: "status", "aria-live": "polite" });
  const pointer = h("div", { class: "fk-next-boot", "aria-hidden": "true" }, h("span", {}, "next boot ↓"));
  const list = h("div", { class: "fk-slots" });
  const doing = h("p", { class: "fk-doing" });
  const progress = h("progress", { max: "1", "aria-label": "the update's progress" });
  const verity = h("p", { class: "fk-dim fk-verity" });
  pane.append(story, pointer, list, doing, progress, verity);
  /** @param {{ inside: import("../state").InsideState | null }} state */
  return ({ inside }) => {
    const slots = inside?.slots ?? [];
    say(
      story,
      (slots.length ? inside?.story : inside?.trouble) || "The slots are read from the machine while it runs.",
    );
    pointer.hidden = list.hidden = !slots.length;
    pointer.style.setProperty(
      "--fk-at",
      String(
        Math.max(
          0,
          slots.findIndex(({ next }) => next),
        ),
      ),
    );
    keep(list, slots, { key: ({ label }) => label, make: makeSlot, update: drawSlot });
    sayOrHide(doing, inside?.doing ? `Update: ${inside.doing}` : "");
    progress.hidden = typeof inside?.progress !== "number";
    if (typeof inside?.progress === "number") progress.value = inside.progress;
    sayOrHide(verity, inside?.verity ? verityInWords(inside.verity) : "");
  };
}
