// The machine panel: state, boot, slots, layers and console of one machine. Python says what is; this draws it in place.
import { freshId, h, makeRoot } from "../lib/dom.js";
import { keep, say } from "../lib/keep.js";

const TABS = [
  ["boot", "Boot"],
  ["slots", "Slots"],
  ["layers", "Layers of /usr"],
  ["facts", "Facts"],
  ["console", "Console"],
];
const LABELS = {
  cancel: ["Cancel", "Stop this; what was made is undone"],
  start: ["Start", "Switch it on"],
  stop: ["Stop", "Switch it off in order; its disk is kept"],
  restart: ["Restart", "Off in order, and on again"],
  rewind: ["Rewind", "Back to how it was, memory and disk, in seconds"],
  unplug: ["Pull the plug", "Off without warning, as in a power cut"],
  terminal: ["Terminal", "Type on the machine, logged in"],
};

const kindOf = (panel) =>
  panel.error || panel.state === "failed" ? "bad" : panel.busy ? "warn" : panel.state === "running" ? "ok" : "dim";

function makeTabs(model, root) {
  const stem = freshId("tab");
  const list = h("div", { class: "fk-tabs", role: "tablist", "aria-label": "About this machine" });
  const panes = {};
  const show = (name, focus) => {
    for (const [other] of TABS) {
      const tab = list.querySelector(`[data-tab=${other}]`);
      tab.setAttribute("aria-selected", String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
      panes[other].hidden = other !== name;
      if (focus && other === name) tab.focus();
    }
    if (model.get("tab") !== name) {
      model.set("tab", name);
      model.save_changes();
    }
  };
  for (const [name, title] of TABS) {
    list.append(
      h(
        "button",
        {
          type: "button",
          role: "tab",
          "data-tab": name,
          id: `${stem}-${name}`,
          "aria-controls": `${stem}-${name}-pane`,
          onclick: () => show(name, false),
        },
        title,
      ),
    );
    panes[name] = h("div", {
      class: `fk-pane fk-pane-${name}`,
      role: "tabpanel",
      id: `${stem}-${name}-pane`,
      "aria-labelledby": `${stem}-${name}`,
      tabindex: "0",
    });
  }
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const names = TABS.map(([name]) => name);
    show(names[(names.indexOf(model.get("tab")) + step + names.length) % names.length], true);
    event.preventDefault();
  });
  root.append(list, ...Object.values(panes));
  return { panes, show };
}

function drawHead(head, panel, act) {
  const [state, urls, buttons, card, said] = head.children;
  say(state.querySelector(".fk-mark"), panel.mark);
  say(state.querySelector(".fk-name"), panel.name);
  const line = state.querySelector(".fk-headline");
  say(line, panel.headline);
  line.className = `fk-headline fk-${kindOf(panel)}`;
  const badge = state.querySelector(".fk-badge");
  say(badge, panel.badge);
  badge.hidden = !panel.badge;
  keep(
    urls,
    panel.urls.map((url) => [
      url,
      () => {
        const [address, rest] = url.split(/ (.*)/s);
        return h("div", {}, h("a", { href: address, target: "_blank", rel: "noopener" }, address), ` ${rest ?? ""}`);
      },
      () => {},
    ]),
  );
  const wasHere = buttons.contains(document.activeElement);
  keep(
    buttons,
    panel.verbs.map((verb) => [
      verb,
      () =>
        h(
          "button",
          {
            type: "button",
            class: "fk-button",
            title: LABELS[verb][1],
            onclick: () => act(verb),
          },
          LABELS[verb][0],
        ),
      () => {},
    ]),
  );
  // Who pressed a button that is gone now stays beside its successors.
  if (wasHere && !buttons.contains(document.activeElement)) buttons.focus();
  card.hidden = !panel.error;
  say(card.querySelector(".fk-why"), panel.error ? `✗ ${panel.error}` : "");
  const next = card.querySelector(".fk-next");
  next.hidden = !panel.hint;
  say(next.querySelector("code"), panel.hint);
  keep(
    said,
    panel.said.map((text, place) => [`${place}`, () => h("div", { class: "fk-dim" }), (el) => say(el, text)]),
  );
}

/** A phase that is over tells what it was for, when asked. */
function unfold({ currentTarget: title }) {
  const open = title.getAttribute("aria-expanded") !== "true";
  title.setAttribute("aria-expanded", String(open));
  const note = title.parentElement.lastChild;
  say(note, open ? title.dataset.about : "");
  note.hidden = !open;
}

function drawBoot(pane, panel) {
  if (!pane.children.length) pane.append(h("p", { class: "fk-dim" }), h("ol", { class: "fk-phases" }));
  const [empty, list] = pane.children;
  empty.hidden = panel.phases.length > 0;
  say(empty, "What happens from power-on to the first login is shown here while it happens.");
  const longest = Math.max(1, ...panel.phases.map((row) => row.seconds));
  keep(
    list,
    panel.phases.map((row) => [
      row.key,
      () =>
        h(
          "li",
          {},
          h("span", { class: "fk-phase-mark" }),
          h("button", { type: "button", class: "fk-phase-title", "aria-expanded": "false", onclick: unfold }),
          h("span", { class: "fk-phase-bar", "aria-hidden": "true" }, h("i")),
          h("span", { class: "fk-phase-time" }),
          h("span", { class: "fk-phase-note fk-dim" }),
        ),
      (el) => {
        const [mark, title, bar, time, note] = el.children;
        el.className = row.open ? "fk-now" : row.ok ? "fk-done" : "fk-failed";
        say(mark, row.mark);
        say(title, row.title);
        bar.firstChild.style.width = `${(100 * row.seconds) / longest}%`;
        say(time, `${row.seconds.toFixed(1)} s`);
        title.disabled = !row.about;
        const open = title.getAttribute("aria-expanded") === "true";
        say(note, row.note || (open ? row.about : ""));
        note.hidden = !note.textContent;
        title.dataset.about = row.about;
      },
    ]),
  );
}

function drawSlot(el, slot) {
  el.className = `fk-slot${slot.running ? " fk-slot-running" : ""}${slot.next ? " fk-slot-next" : ""}`;
  el.setAttribute("aria-label", `${slot.label}: ${slot.state}`);
  const [name, version, state, bits] = el.children;
  say(name, slot.label);
  say(version, slot.version || "version not seen yet");
  version.classList.toggle("fk-dim", !slot.version);
  say(state, `${slot.running ? "● " : slot.next ? "→ " : "○ "}${slot.state}`);
  keep(
    bits,
    [
      ["priority", slot.priority],
      ["tries", slot.tries],
      ["successful", slot.successful ? 1 : 0],
    ].map(([key, value]) => [
      key,
      () => h("div", {}, h("dt", {}, key), h("dd")),
      (row) => say(row.lastChild, String(value)),
    ]),
  );
}

function drawSlots(pane, inside) {
  if (!pane.children.length) {
    pane.append(
      h("p", { role: "status", "aria-live": "polite" }),
      h("div", { class: "fk-next-boot", "aria-hidden": "true" }, h("span", {}, "next boot ↓")),
      h("div", { class: "fk-slots" }),
      h("p", { class: "fk-doing" }),
      h("progress", { max: "1", "aria-label": "the update's progress" }),
      h("p", { class: "fk-dim fk-verity" }),
    );
  }
  const [story, pointer, slots, doing, bar, verity] = pane.children;
  const found = inside.slots ?? [];
  say(story, found.length ? inside.story : inside.trouble || "The slots are read from the machine while it runs.");
  pointer.hidden = slots.hidden = !found.length;
  pointer.style.setProperty(
    "--fk-at",
    String(
      Math.max(
        0,
        found.findIndex((slot) => slot.next),
      ),
    ),
  );
  keep(
    slots,
    found.map((slot) => [
      slot.label,
      () =>
        h(
          "section",
          { role: "group" },
          h("h4"),
          h("div", { class: "fk-slot-version" }),
          h("div", { class: "fk-slot-state" }),
          h("dl"),
        ),
      (el) => drawSlot(el, slot),
    ]),
  );
  say(doing, inside.doing ? `Update: ${inside.doing}` : "");
  doing.hidden = !inside.doing;
  bar.hidden = typeof inside.progress !== "number";
  if (!bar.hidden) bar.value = inside.progress;
  verity.hidden = !inside.verity;
  say(
    verity,
    inside.verity === "V"
      ? "dm-verity: what was read of the running /usr so far is valid (V)."
      : `dm-verity says "${inside.verity}": something that was read is not what was signed.`,
  );
}

function drawLayers(pane, inside) {
  if (!pane.children.length) {
    pane.append(
      h("p", { class: "fk-dim" }),
      h("ol", { class: "fk-layers", "aria-label": "the layers of /usr, the merged view first" }),
      h("p", { role: "status", "aria-live": "polite" }),
    );
  }
  const [intro, list, change] = pane.children;
  const layers = inside.layers ?? [];
  const known = Boolean(inside.version);
  say(
    intro,
    known
      ? "What programs see is the whole stack at once; each layer stays a file of its own and can be taken away again."
      : "The layers are read from the machine while it runs.",
  );
  const added = new Set(inside.added ?? []);
  const rows = known
    ? [
        ["merged", "/usr", "what programs see", "fk-layer-top"],
        ...layers
          .filter((one) => one.merged)
          .reverse()
          .map((one) => [
            `on ${one.name}`,
            `+ ${one.name}`,
            one.builtIn ? "extension, built in" : added.has(one.name) ? "extension, new" : "extension",
            added.has(one.name) ? "fk-layer fk-layer-new" : "fk-layer",
          ]),
        ["base", `the image, version ${inside.version}`, "read-only, under dm-verity", "fk-layer-base"],
        ...layers
          .filter((one) => !one.merged)
          .map((one) => [
            `off ${one.name}`,
            `✗ ${one.name}`,
            one.masked
              ? "switched off: a link to /dev/null"
              : one.refused
                ? `refused: ${one.refused}`
                : "not merged: sudo systemd-sysext refresh",
            "fk-layer-off",
          ]),
      ]
    : [];
  keep(
    list,
    rows.map(([key, name, what, kind]) => [
      key,
      () => h("li", {}, h("b"), h("span")),
      (el) => {
        el.className = kind;
        say(el.firstChild, name);
        say(el.lastChild, what);
      },
    ]),
  );
  const gone = inside.removed ?? [];
  say(
    change,
    [added.size && `came: ${[...added].join(", ")}`, gone.length && `went: ${gone.join(", ")}`]
      .filter(Boolean)
      .join("; "),
  );
}

function drawFacts(pane, facts, usage) {
  if (!pane.children.length) pane.append(h("p", { class: "fk-dim" }), h("dl", { class: "fk-facts" }));
  const [empty, list] = pane.children;
  empty.hidden = facts.length > 0;
  say(empty, "What the machine is made of is shown here once it is made.");
  keep(
    list,
    [...facts, ...usage].map(([name, value]) => [
      name,
      () => h("div", {}, h("dt", {}, name), h("dd")),
      (row) => say(row.lastChild, value),
    ]),
  );
}

function drawConsole(pane, lines) {
  if (!pane.children.length)
    pane.append(
      h("pre", { tabindex: "0", role: "log", "aria-label": "the machine's console, last lines", "aria-live": "off" }),
    );
  const pre = pane.firstChild;
  const atEnd = pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 4;
  say(pre, lines.join("\n") || "(nothing yet)");
  if (atEnd) pre.scrollTop = pre.scrollHeight;
}

export default {
  render({ model, el }) {
    const root = makeRoot(el, model, "machine");
    const head = h(
      "header",
      {},
      h(
        "div",
        { class: "fk-state", role: "status", "aria-live": "polite" },
        h("span", { class: "fk-mark", "aria-hidden": "true" }),
        h("b", { class: "fk-name" }),
        " ",
        h("span", { class: "fk-headline" }),
        h("span", { class: "fk-badge" }),
      ),
      h("div", { class: "fk-urls" }),
      h("div", { class: "fk-verbs", role: "toolbar", tabindex: "-1", "aria-label": "What to do with this machine" }),
      h(
        "div",
        { class: "fk-card", role: "alert" },
        h("div", { class: "fk-why" }),
        h("div", { class: "fk-next" }, "Next: ", h("code")),
      ),
      h("div", { class: "fk-said" }),
    );
    root.append(head);
    const { panes, show } = makeTabs(model, root);
    const act = (verb) => model.send({ verb });
    const draw = () => {
      const panel = model.get("panel");
      if (!panel.name) return;
      root.setAttribute("aria-label", `machine ${panel.name}`);
      drawHead(head, panel, act);
      drawBoot(panes.boot, panel);
      drawSlots(panes.slots, model.get("inside"));
      drawLayers(panes.layers, model.get("inside"));
      drawFacts(panes.facts, panel.facts, model.get("usage"));
      drawConsole(panes.console, model.get("console"));
    };
    const turn = () => show(model.get("tab"), false);
    const events = "change:panel change:inside change:usage change:console";
    model.on(events, draw);
    model.on("change:tab", turn);
    turn();
    draw();
    // What has to be asked of the machine is asked while somebody looks at it, and not longer; it may also have been changed
    // or removed from outside.
    const look = () => {
      if (model.get("panel").name && document.visibilityState === "visible" && root.getClientRects().length)
        model.send({ verb: "look" });
    };
    model.on("change:tab", look);
    const clock = setInterval(look, 2000);
    look();
    return () => {
      clearInterval(clock);
      model.off("change:tab", look);
      model.off(events, draw);
      model.off("change:tab", turn);
    };
  },
};
