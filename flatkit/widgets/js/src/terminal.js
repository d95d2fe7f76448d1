// A terminal on the machine. On a Jupyter page it is a terminal of Jupyter's own server: it answers while the kernel is
// busy, outlives it, and opens as a tab as well. Elsewhere (VS Code) the same keys go by the kernel.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { h, isDark, makeRoot } from "../lib/dom.js";

const ACK = 64 * 1024;

function findServer() {
  const found = document.getElementById("jupyter-config-data");
  if (!found) return null;
  const { baseUrl = "/", token = "" } = JSON.parse(found.textContent);
  const base = new URL(baseUrl, location.href);
  const ask = (path, options = {}) => {
    const xsrf = /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie)?.[1];
    const headers = { "Content-Type": "application/json", ...(xsrf && { "X-XSRFToken": xsrf }), ...(token && { Authorization: `token ${token}` }) };
    return fetch(new URL(path, base), { credentials: "same-origin", ...options, headers });
  };
  const socket = (name) => {
    const url = new URL(`terminals/websocket/${name}`, base);
    url.protocol = url.protocol.replace("http", "ws");
    if (token) url.searchParams.set("token", token);
    return new WebSocket(url);
  };
  return { ask, socket };
}

/** By Jupyter's server. A second POST of a name would leak the first session, so it is looked for before. */
function byServer({ ask, socket }, model, wire) {
  const name = model.get("session");
  let current = null;
  const connect = async () => {
    try {
      if ((await ask(`api/terminals/${name}`)).status === 404) {
        const made = await ask("api/terminals", { method: "POST", body: JSON.stringify({ name, shell_command: model.get("argv") }) });
        if (!made.ok) throw new Error(`the server says ${made.status}`);
      }
    } catch (error) {
      wire.ended(`No terminal: ${error.message}`);
      return;
    }
    const link = (current = socket(name));
    const tell = (...message) => { if (link.readyState === WebSocket.OPEN) link.send(JSON.stringify(message)); };
    wire.send = (text) => tell("stdin", text);
    wire.resize = (columns, rows) => tell("set_size", rows, columns);
    link.onopen = () => wire.opened();
    link.onmessage = ({ data }) => {
      const [kind, text] = JSON.parse(data);
      if (kind === "stdout") wire.write(text);
      if (kind === "disconnect") wire.ended("The session has ended.");
    };
    link.onclose = () => { if (current === link) wire.ended("The connection to the session is closed."); };
  };
  return {
    connect,
    close: () => { const link = current; current = null; link?.close(); },
    remove: () => ask(`api/terminals/${name}`, { method: "DELETE" }).catch(() => {}),
  };
}

/** By the kernel: bytes in both directions, and word of what was drawn, so that a flood does not pile up. */
function byKernel(model, wire) {
  let drawn = 0;
  const heard = (content, buffers) => {
    if (content.kind === "output") {
      const bytes = new Uint8Array(buffers[0].buffer, buffers[0].byteOffset, buffers[0].byteLength);
      wire.write(bytes, () => {
        drawn += bytes.length;
        if (drawn >= ACK) { model.send({ kind: "drawn", bytes: drawn }); drawn = 0; }
      });
    }
    if (content.kind === "ended") wire.ended(content.why);
  };
  wire.send = (text) => model.send({ kind: "input", text });
  wire.resize = (columns, rows) => model.send({ kind: "size", columns, rows });
  model.on("msg:custom", heard);
  return {
    connect: () => { wire.opened(); model.send({ kind: "open", columns: wire.columns(), rows: wire.rows() }); },
    close: () => model.off("msg:custom", heard),
    remove: () => {},
  };
}

const colour = (el, name) => getComputedStyle(el).getPropertyValue(name).trim();
const themeOf = (root) => {
  const dark = isDark();
  return {
    background: colour(root, "--fk-ground") || (dark ? "#111" : "#fff"), foreground: colour(root, "--fk-text") || (dark ? "#eee" : "#111"),
    cursor: colour(root, "--fk-accent"), selectionBackground: dark ? "#3a5f8a" : "#b5d3f5",
  };
};

export default {
  render({ model, el }) {
    const root = makeRoot(el, model, "terminal");
    const server = findServer();
    // This one goes on without its kernel.
    if (server) root.querySelector(".fk-gone").remove();
    root.setAttribute("aria-label", `terminal on ${model.get("machine")}`);
    const state = h("span", { class: "fk-dim", role: "status" }, "connecting …");
    const again = h("button", { type: "button", class: "fk-button", hidden: true }, "Connect again");
    const tab = server && h("button", {
      type: "button", class: "fk-button", "data-commandlinker-command": "terminal:open",
      "data-commandlinker-args": JSON.stringify({ name: model.get("session") }),
    }, "Open as a tab");
    const leave = h("span", { class: "fk-dim fk-leave" }, "Shift+Escape leaves the terminal");
    const bar = h("div", { class: "fk-bar" }, h("b", {}, `core@${model.get("machine")}`), state, again, tab, leave);
    const place = h("div", { class: "fk-screen" });
    root.append(bar, place);

    const term = new Terminal({ fontSize: 13, fontFamily: getComputedStyle(root).getPropertyValue("--fk-code") || "monospace", minimumContrastRatio: 4.5, scrollback: 5000, cursorBlink: false, theme: themeOf(root) });
    const fit = new FitAddon();
    term.loadAddon(fit);
    const wire = {
      send: () => {}, resize: () => {}, columns: () => term.cols, rows: () => term.rows,
      write: (data, done) => term.write(data, done),
      opened: () => { state.textContent = "connected"; again.hidden = true; wire.resize(term.cols, term.rows); },
      ended: (why) => { state.textContent = why; again.hidden = model.get("gone"); },
    };
    const session = server ? byServer(server, model, wire) : byKernel(model, wire);
    term.onData((text) => wire.send(text));
    term.onResize(({ cols, rows }) => wire.resize(cols, rows));
    term.attachCustomKeyEventHandler((event) => {
      if (event.type !== "keydown" || event.key !== "Escape" || !event.shiftKey) return true;
      (tab ?? again).focus();
      return false;
    });
    again.onclick = () => { again.hidden = true; session.connect(); };
    const gone = () => {
      if (!model.get("gone")) return;
      session.remove();
      wire.ended("The machine is gone.");
    };
    model.on("change:gone", gone);

    // xterm measures itself: it is opened once it has a place on the page.
    let begun = false;
    const sizes = new ResizeObserver(() => {
      if (!place.clientWidth) return;
      if (!begun) {
        begun = true;
        term.open(place);
        term.textarea?.setAttribute("aria-label", `terminal on ${model.get("machine")}`);
        fit.fit();
        session.connect();
      } else fit.fit();
    });
    sizes.observe(place);
    const themes = new MutationObserver(() => { term.options.theme = themeOf(root); });
    themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind", "class"] });
    // For tests and screen readers alike: what is on the screen, as text.
    root.flatkitText = () => Array.from({ length: term.buffer.active.length }, (_, row) => term.buffer.active.getLine(row)?.translateToString(true) ?? "").join("\n");
    return () => { sizes.disconnect(); themes.disconnect(); model.off("change:gone", gone); session.close(); term.dispose(); };
  },
};
