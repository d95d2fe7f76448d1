// @ts-check
// The layers of /usr: the merged view on top, each system extension, and the image at the bottom.
import { h, keep, say } from "./dom.js";

/** @typedef {import("../state").InsideState} InsideState */
/** @typedef {import("../state").LayerState} LayerState */
/** @typedef {{ key: string, name: string, what: string, kind: string }} Row */

/**
 * @param {LayerState} layer
 * @param {boolean} isNew
 * @returns {Row}
 */
function mergedRow({ name, builtIn }, isNew) {
  const what = builtIn ? "extension, built in" : isNew ? "extension, new" : "extension";
  return { key: `on ${name}`, name: `+ ${name}`, what, kind: isNew ? "fk-layer fk-layer-new" : "fk-layer" };
}

/**
 * @param {LayerState} layer
 * @returns {Row}
 */
function absentRow({ name, masked, refused }) {
  let what = "not merged: sudo systemctl restart systemd-sysext";
  if (refused) what = `refused: ${refused}`;
  if (masked) what = "switched off: a link to /dev/null";
  return { key: `off ${name}`, name: `✗ ${name}`, what, kind: "fk-layer-off" };
}

/**
 * @param {InsideState} inside
 * @returns {Row[]}
 */
function rowsOf({ version, layers, added }) {
  const merged = layers.filter((one) => one.merged).reverse();
  const absent = layers.filter((one) => !one.merged);
  const base = `the image, version ${version}`;
  return [
    { key: "merged", name: "/usr", what: "what programs see", kind: "fk-layer-top" },
    ...merged.map((one) => mergedRow(one, added.includes(one.name))),
    { key: "base", name: base, what: "read-only, under dm-verity", kind: "fk-layer-base" },
    ...absent.map(absentRow),
  ];
}

const UNKNOWN = "The layers are read from the machine while it runs.";
const KNOWN =
  "What programs see is the whole stack at once; each layer stays a file of its own and can be taken away again.";

/** @param {HTMLElement} pane */
export function makeLayers(pane) {
  const intro = h("p", { class: "fk-dim" });
  const list = h("ol", { class: "fk-layers", "aria-label": "the layers of /usr, the merged view first" });
  const change = h("p", { role: "status", "aria-live": "polite" });
  pane.append(intro, list, change);
  /** @param {{ inside: import("../state").InsideState | null }} state */
  return ({ inside }) => {
    say(intro, inside?.version ? KNOWN : UNKNOWN);
    keep(list, inside?.version ? rowsOf(inside) : [], {
      key: ({ key }) => key,
      make: () => {
        const name = h("b");
        const what = h("span");
        return { root: h("li", {}, name, what), name, what };
      },
      update: (parts, { name, what, kind }) => {
        parts.root.className = kind;
        say(parts.name, name);
        say(parts.what, what);
      },
    });
    const { added = [], removed = [] } = inside ?? {};
    const changes = [added.length && `added: ${added.join(", ")}`, removed.length && `removed: ${removed.join(", ")}`];
    say(change, changes.filter(Boolean).join("; "));
  };
}
