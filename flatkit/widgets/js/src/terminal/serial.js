// @ts-check
// The serial console, read-only: its button opens and closes it, and it goes with the machine.
import { stateOf } from "../lib/card.js";
import { h, say } from "../lib/dom.js";
import { makeScreen } from "./screen.js";
import { byServer, consoleByKernel } from "./session.js";

/**
 * @param {import("../lib/card.js").Model<import("../state").TerminalState>} model
 * @param {import("./session.js").Server | null} server
 * @param {HTMLButtonElement} button
 */
export function makeSerial(model, server, button) {
  const { machine, session: sessionName, consoleArgv } = stateOf(model);
  const name = `${sessionName}_console`;
  const label = `serial console of ${machine}, read-only`;
  const status = h("span", { role: "status" });
  const place = h("div", { class: "fk-screen" });
  const head = h("div", { class: "fk-dim" }, "serial console, read-only ", status);
  const pane = h("div", { class: "fk-serial", role: "region", "aria-label": label, hidden: true }, head, place);
  /** @type {{ screen: ReturnType<typeof makeScreen>, session: import("./session.js").Session } | null} */
  let open = null;

  const begin = () => {
    /** @type {import("./session.js").Wire} */
    const wire = {
      send: () => {},
      resize: () => {},
      size: () => ({ columns: 80, rows: 24 }),
      write: (data, done) => screen.term.write(data, done),
      redraw: (text) => {
        screen.term.reset();
        screen.term.write(text);
      },
      opened: () => say(status, ""),
      ended: (why) => say(status, `· ${why}`),
    };
    const session = server ? byServer(server, name, consoleArgv, wire) : consoleByKernel(model, wire);
    const leave = () => button.focus();
    const screen = makeScreen(pane, place, { label, readOnly: true, begun: session.connect, leave });
    pane.flatkitText = screen.text;
    open = { screen, session };
  };
  const end = () => {
    open?.session.close();
    open?.screen.end();
    open = null;
    place.replaceChildren();
  };
  const turn = () => {
    pane.hidden = !pane.hidden;
    button.setAttribute("aria-pressed", String(!pane.hidden));
    if (pane.hidden) end();
    else begin();
  };
  /** End the server's session, whether it is shown or not. */
  const remove = () => {
    if (server) server.remove(name);
  };
  return { pane, turn, end, remove };
}
