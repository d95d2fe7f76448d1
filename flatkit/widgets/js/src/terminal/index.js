// @ts-check
// A terminal on the machine. On a Jupyter page it is a terminal of Jupyter's own server: it answers while the kernel is
// busy, outlives it, and opens as a tab as well. Elsewhere (VS Code) the same keys go through the kernel. The serial
// console is shown beside it on request, read-only.
import { follow, makeButton, makeRoot, stateOf } from "../lib/card.js";
import { h, say } from "../lib/dom.js";
import { makeScreen } from "./screen.js";
import { makeSerial } from "./serial.js";
import { byKernel, byServer, findServer } from "./session.js";

/** @typedef {import("../state").TerminalState} TerminalState */

// How often a screen is sent during a look that the learner allowed, in ms; Python drops one that has not changed.
const SHOWN_EVERY = 1000;

export default {
  /** @param {{ model: import("../lib/card.js").Model<TerminalState>, el: HTMLElement }} view */
  render({ model, el }) {
    const root = makeRoot(el, model, "terminal");
    const { machine, session: name, argv } = stateOf(model);
    const server = findServer();
    // A session of the server goes on without the kernel.
    if (server) root.querySelector(".fk-gone")?.remove();
    const label = `terminal on ${machine}`;
    root.setAttribute("aria-label", label);
    const status = h("span", { class: "fk-dim", role: "status" }, "connecting …");
    const connect = () => {
      again.hidden = true;
      session.connect();
    };
    const again = makeButton("Connect again", connect, { hidden: true });
    const tab = makeButton("Open as a tab", () => {}, {
      title: "The same session in a tab of its own",
      "data-commandlinker-command": "terminal:open",
      "data-commandlinker-args": JSON.stringify({ name }),
    });
    const beside = makeButton("Serial console", () => serial.turn(), {
      title: "The machine's serial console, beside the terminal",
      "aria-pressed": "false",
    });
    const readAloud = () => {
      term.options.screenReaderMode = !term.options.screenReaderMode;
      aloud.setAttribute("aria-pressed", String(term.options.screenReaderMode));
    };
    const aloud = makeButton("Screen reader", readAloud, {
      title: "Lets a screen reader follow the output; slower",
      "aria-pressed": "false",
    });
    const leave = h("span", { class: "fk-dim fk-leave" }, "Shift+Escape leaves the terminal");
    const place = h("div", { class: "fk-screen" });
    const serial = makeSerial(model, server, beside);
    const buttons = [again, server && tab, beside, aloud];
    root.append(
      h("div", { class: "fk-bar" }, h("b", {}, `core@${machine}`), status, buttons, leave),
      h("div", { class: "fk-screens" }, place, serial.pane),
    );

    /** @type {import("./session.js").Wire} */
    const wire = {
      send: () => {},
      resize: () => {},
      size: () => ({ columns: term.cols, rows: term.rows }),
      write: (data, done) => term.write(data, done),
      opened: () => {
        say(status, "connected");
        again.hidden = true;
        wire.resize(term.cols, term.rows);
      },
      ended: (why) => {
        say(status, why);
        again.hidden = stateOf(model).gone;
      },
    };
    const session = server ? byServer(server, name, argv, wire) : byKernel(model, wire);
    const screen = makeScreen(root, place, {
      label,
      begun: () => {
        if (!stateOf(model).gone) session.connect();
      },
      leave: () => (server ? tab : beside).focus(),
    });
    const { term } = screen;
    term.onData((text) => wire.send(text));
    term.onResize(({ cols, rows }) => wire.resize(cols, rows));
    root.flatkitText = screen.text;
    const shared = h("span", { class: "fk-shared", role: "status" });
    aloud.after(shared);
    let shown = 0;
    const endLook = follow(model, ({ look }) => {
      say(shared, look ? "◉ the trainer sees this screen" : "");
      if (Boolean(look) === shown > 0) return;
      if (shown) clearInterval(shown);
      shown = look ? setInterval(() => model.send({ verb: "screen", text: screen.view() }), SHOWN_EVERY) : 0;
    });
    const end = follow(model, ({ gone }) => {
      if (!gone) return;
      session.remove();
      serial.remove();
      wire.ended("The machine is gone.");
    });
    return () => {
      clearInterval(shown);
      endLook();
      end();
      serial.end();
      session.close();
      screen.end();
    };
  },
};
