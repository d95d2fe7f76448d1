// @ts-check
// What the demo changes, beside its steps: the two slots, the layers of /usr, the channels with their machines,
// or the disk.
import { h, keep, say, sayOrHide } from "../lib/dom.js";
import { makeLayers } from "../lib/layers.js";
import { makeSlots } from "../lib/slots.js";

/** @typedef {import("../state").PictureState} PictureState */

/** @param {HTMLElement} pane */
function makeDisk(pane) {
  const list = h("ol", { class: "fk-parts", "aria-label": "the partitions of the disk" });
  const story = h("p", { role: "status", "aria-live": "polite" });
  pane.append(list, story);
  /** @param {PictureState} picture */
  return (picture) => {
    keep(list, picture.parts, {
      key: ({ label }) => label,
      make: () => {
        const name = h("b");
        const role = h("span");
        const config = h("span", {}, "← what your config says");
        return { root: h("li", {}, name, role, config), name, role, config };
      },
      update: (parts, { label, size, role, written }) => {
        parts.root.className = written ? "fk-written" : "";
        say(parts.name, `${label} ${size}`);
        say(parts.role, role);
        parts.config.hidden = !written;
      },
    });
    sayOrHide(story, picture.story);
  };
}

/** @typedef {{ channel: string, version: string, machines: PictureState["machines"] }} Channel */

/**
 * Each channel with the machines that follow it; a group of its own stands beside the channels.
 * @param {PictureState} picture
 * @returns {Channel[]}
 */
function channelsOf({ offers, machines }) {
  const names = [...new Set([...offers.map(([channel]) => channel), ...machines.map(({ group }) => group)])];
  return names.map((channel) => ({
    channel,
    version: offers.find(([name]) => name === channel)?.[1] ?? "",
    machines: machines.filter(({ group }) => group === channel),
  }));
}

/** @param {HTMLElement} pane */
function makeRollout(pane) {
  const list = h("ol", { class: "fk-rollout", "aria-label": "the channels, and the machines that follow them" });
  pane.append(list);
  /** @param {PictureState} picture */
  return (picture) =>
    keep(list, channelsOf(picture), {
      key: ({ channel }) => channel,
      make: () => {
        const name = h("b");
        const offer = h("span");
        const machines = h("ol");
        return { root: h("li", {}, name, offer, machines), name, offer, machines };
      },
      update: (parts, { channel, version, machines }) => {
        parts.root.className = version ? "" : "fk-rollout-none";
        say(parts.name, channel);
        say(parts.offer, version ? `offers ${version}` : "offers nothing");
        keep(parts.machines, machines, {
          key: ({ name }) => name,
          make: () => {
            const machine = h("b");
            const state = h("span");
            return { root: h("li", {}, machine, state), machine, state };
          },
          update: (row, one) => {
            say(row.machine, `${one.name} runs ${one.version}`);
            say(row.state, one.state);
          },
        });
      },
    });
}

const KINDS = { slots: makeSlots, layers: makeLayers, disk: makeDisk, channels: makeRollout };

/** The picture's element, and what draws a picture into it. */
export function makePicture() {
  const root = h("div", { class: "fk-picture fk-inside", role: "group", "aria-label": "what the demo has changed" });
  root.hidden = true;
  let drawn = "";
  /** @type {(picture: any) => void} */
  let drawKind = () => {};
  /** @param {PictureState | null | undefined} picture a page of recorded runs has none */
  const draw = (picture) => {
    root.hidden = !picture;
    if (!picture) return;
    if (picture.kind !== drawn) {
      drawn = picture.kind;
      root.replaceChildren();
      drawKind = KINDS[/** @type {keyof typeof KINDS} */ (picture.kind)](root);
    }
    drawKind(picture);
  };
  return { root, draw };
}
