// A terminal on the machine. On a Jupyter page it is a terminal of Jupyter's own server: it answers while the kernel is
// busy, outlives it, and opens as a tab as well. Elsewhere (VS Code) the same keys go by the kernel. The serial console
// stands beside it when asked for, to be read only.
import { h, makeRoot } from "../lib/dom.js";
import { makeScreen } from "./screen.js";
import { byKernel, byServer, consoleByKernel, findServer } from "./session.js";

/** The serial console: opened by its button, closed by it, and gone with the machine. */
function makeSerial(root, model, server, button) {
  const label = `serial console of ${model.get("machine")}, to be read only`;
  const state = h("span", { role: "status" });
  const screen = h("div", { class: "fk-screen" });
  const pane = h(
    "div",
    { class: "fk-serial", role: "region", "aria-label": label, hidden: true },
    h("div", { class: "fk-dim" }, "serial console, to be read only ", state),
    screen,
  );
  let view = null,
    session = null;
  const open = () => {
    const wire = {
      write: (data) => view.term.write(data),
      redraw: (text) => {
        view.term.reset();
        view.term.write(text);
      },
      opened: () => {
        state.textContent = "";
      },
      ended: (why) => {
        state.textContent = `· ${why}`;
      },
    };
    session = server
      ? byServer(server, `${model.get("session")}_console`, model.get("console_argv"), wire)
      : consoleByKernel(model, wire);
    view = makeScreen(root, screen, { label, readOnly: true, begun: session.connect, leave: () => button.focus() });
    pane.flatkitText = view.text;
  };
  const end = () => {
    session?.close();
    view?.end();
    screen.replaceChildren();
    session = view = null;
  };
  button.onclick = () => {
    const wanted = pane.hidden;
    pane.hidden = !wanted;
    button.setAttribute("aria-pressed", String(wanted));
    if (wanted) open();
    else end();
  };
  // Whether it is shown at the moment or not: its session on the server goes with the machine.
  const remove = () => server && byServer(server, `${model.get("session")}_console`, [], {}).remove();
  return { pane, end, remove };
}

export default {
  render({ model, el }) {
    const root = makeRoot(el, model, "terminal");
    const server = findServer();
    // This one goes on without its kernel.
    if (server) root.querySelector(".fk-gone").remove();
    const label = `terminal on ${model.get("machine")}`;
    root.setAttribute("aria-label", label);
    const state = h("span", { class: "fk-dim", role: "status" }, "connecting …");
    const button = (text, title, more = {}) =>
      h("button", { type: "button", class: "fk-button", title, ...more }, text);
    const again = button("Connect again", null, { hidden: true });
    const tab =
      server &&
      button("Open as a tab", "The same session in a tab of its own", {
        "data-commandlinker-command": "terminal:open",
        "data-commandlinker-args": JSON.stringify({ name: model.get("session") }),
      });
    const beside = button("Serial console", "What the machine says on its serial console, beside the terminal", {
      "aria-pressed": "false",
    });
    const aloud = button("Screen reader", "Lets a screen reader follow what is said here; slower", {
      "aria-pressed": "false",
    });
    const leave = h("span", { class: "fk-dim fk-leave" }, "Shift+Escape leaves the terminal");
    const place = h("div", { class: "fk-screen" });
    const serial = makeSerial(root, model, server, beside);
    root.append(
      h(
        "div",
        { class: "fk-bar" },
        h("b", {}, `core@${model.get("machine")}`),
        state,
        again,
        tab,
        beside,
        aloud,
        leave,
      ),
      h("div", { class: "fk-screens" }, place, serial.pane),
    );

    const wire = {
      send: () => {},
      resize: () => {},
      columns: () => screen.term.cols,
      rows: () => screen.term.rows,
      write: (data, done) => screen.term.write(data, done),
      opened: () => {
        state.textContent = "connected";
        again.hidden = true;
        wire.resize(screen.term.cols, screen.term.rows);
      },
      ended: (why) => {
        state.textContent = why;
        again.hidden = model.get("gone");
      },
    };
    const session = server ? byServer(server, model.get("session"), model.get("argv"), wire) : byKernel(model, wire);
    const screen = makeScreen(root, place, { label, begun: session.connect, leave: () => (tab ?? beside).focus() });
    const { term } = screen;
    term.onData((text) => wire.send(text));
    term.onResize(({ cols, rows }) => wire.resize(cols, rows));
    again.onclick = () => {
      again.hidden = true;
      session.connect();
    };
    aloud.onclick = () => {
      term.options.screenReaderMode = !term.options.screenReaderMode;
      aloud.setAttribute("aria-pressed", String(term.options.screenReaderMode));
    };
    const gone = () => {
      if (!model.get("gone")) return;
      session.remove();
      serial.remove();
      wire.ended("The machine is gone.");
    };
    model.on("change:gone", gone);
    root.flatkitText = screen.text;
    return () => {
      model.off("change:gone", gone);
      serial.end();
      session.close();
      screen.end();
    };
  },
};
