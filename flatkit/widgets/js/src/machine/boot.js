// @ts-check
// The phases of a boot as a waterfall: when each began, how long it took, and how long it usually takes here.
// A phase that is over explains itself when it is opened.
import { h, keep, say, sayOrHide } from "../lib/dom.js";

/** @typedef {import("../state").PhaseState} PhaseState */

function makePhase() {
  const mark = h("span", { class: "fk-phase-mark" });
  const title = h("button", { type: "button", class: "fk-phase-title", "aria-expanded": "false" });
  const bar = h("i");
  const usual = h("i");
  const time = h("span", { class: "fk-phase-time" });
  const note = h("span", { class: "fk-phase-note fk-dim" });
  const track = h("span", { class: "fk-phase-bar", "aria-hidden": "true" }, bar, usual);
  const parts = {
    root: h("li", {}, mark, title, track, time, note),
    mark,
    title,
    bar,
    usual,
    time,
    note,
    origin: "",
    about: "",
  };
  title.addEventListener("click", () => {
    const open = title.getAttribute("aria-expanded") !== "true";
    title.setAttribute("aria-expanded", String(open));
    sayOrHide(note, noteOf(parts, open));
  });
  return parts;
}

/**
 * What is written below a phase: where it comes from, and what it does when it is opened.
 * @param {{origin: string, about: string}} phase
 * @param {boolean} open
 */
function noteOf({ origin, about }, open) {
  return [origin, open && about].filter(Boolean).join(". ");
}

/** @param {PhaseState} phase */
function classOf({ open, ok }) {
  if (open) return "fk-now";
  return ok ? "fk-done" : "fk-failed";
}

/** @param {HTMLElement} pane */
export function makeBoot(pane) {
  const empty = h(
    "p",
    { class: "fk-dim" },
    "What happens from power-on to the first login is shown here while it happens.",
  );
  const list = h("ol", { class: "fk-phases" });
  const key = h(
    "p",
    { class: "fk-dim fk-phases-key", "aria-hidden": "true" },
    "dashed: as long as it usually takes here",
  );
  pane.append(empty, list, key);
  /** @param {import("../state").MachineCardState} state */
  return ({ phases }) => {
    empty.hidden = phases.length > 0;
    key.hidden = !phases.some(({ usual }) => usual > 0);
    const end = Math.max(1, ...phases.map(({ begins, seconds, usual }) => begins + Math.max(seconds, usual)));
    /** @param {number} seconds */
    const share = (seconds) => `${(100 * seconds) / end}%`;
    keep(list, phases, {
      key: ({ key }) => key,
      make: makePhase,
      update: (parts, phase) => {
        parts.root.className = classOf(phase);
        parts.about = phase.about;
        parts.origin = phase.note;
        say(parts.mark, phase.mark);
        say(parts.title, phase.title);
        parts.title.disabled = !phase.about;
        parts.bar.style.marginLeft = parts.usual.style.left = share(phase.begins);
        parts.bar.style.width = share(phase.seconds);
        parts.usual.style.width = share(phase.usual);
        parts.usual.hidden = !phase.usual;
        say(parts.time, `${phase.seconds.toFixed(1)} s`);
        const open = parts.title.getAttribute("aria-expanded") === "true";
        sayOrHide(parts.note, noteOf(parts, open));
      },
    });
  };
}
