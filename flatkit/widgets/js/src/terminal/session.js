// @ts-check
// Where a terminal's keys and output go: to a terminal of Jupyter's own server, or through the kernel where there is no
// Jupyter page.
import { actOn } from "../lib/card.js";

const ACK_BYTES = 64 * 1024;
const LOOK_MS = 1000;

/** @typedef {import("../lib/card.js").Model<import("../state").TerminalState>} Model */

/**
 * The screen's end of a session.
 * @typedef {object} Wire
 * @property {(text: string) => void} send
 * @property {(columns: number, rows: number) => void} resize
 * @property {() => { columns: number, rows: number }} size
 * @property {(data: string | Uint8Array, done?: () => void) => void} write
 * @property {(text: string) => void} [redraw]
 * @property {() => void} opened
 * @property {(why: string) => void} ended
 */

/** @typedef {{ connect: () => void, close: () => void, remove: () => void }} Session */
/** @typedef {NonNullable<ReturnType<typeof findServer>>} Server */

/** Jupyter's server behind this page; null where there is none (VS Code). */
export function findServer() {
  const found = document.getElementById("jupyter-config-data");
  if (!found) return null;
  const { baseUrl = "/", token = "" } = JSON.parse(found.textContent ?? "{}");
  const base = new URL(baseUrl, location.href);
  /**
   * @param {string} path
   * @param {RequestInit} options
   */
  const ask = (path, options = {}) => {
    const xsrf = /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie)?.[1];
    /** @type {Record<string, string>} */
    const headers = { "Content-Type": "application/json" };
    if (xsrf) headers["X-XSRFToken"] = xsrf;
    if (token) headers.Authorization = `token ${token}`;
    return fetch(new URL(path, base), { credentials: "same-origin", ...options, headers });
  };
  /** @param {string} name */
  const socket = (name) => {
    const url = new URL(`terminals/websocket/${name}`, base);
    url.protocol = url.protocol.replace("http", "ws");
    if (token) url.searchParams.set("token", token);
    return new WebSocket(url);
  };
  /** @param {string} name */
  const remove = (name) => {
    ask(`api/terminals/${name}`, { method: "DELETE" }).catch(() => {});
  };
  return { ask, socket, remove };
}

/**
 * A session of Jupyter's server. A second POST of a name would leak the first session, so it is looked up before.
 * @param {Server} server
 * @param {string} name
 * @param {string[]} argv
 * @param {Wire} wire
 * @returns {Session}
 */
export function byServer({ ask, socket, remove }, name, argv, wire) {
  /** @type {WebSocket | null} */
  let current = null;
  const ensure = async () => {
    if ((await ask(`api/terminals/${name}`)).status !== 404) return;
    const body = JSON.stringify({ name, shell_command: argv });
    const made = await ask("api/terminals", { method: "POST", body });
    if (!made.ok) throw new Error(`the server answered with status ${made.status}`);
  };
  const connect = async () => {
    try {
      await ensure();
    } catch (error) {
      wire.ended(`No terminal: ${/** @type {Error} */ (error).message}`);
      return;
    }
    const link = socket(name);
    current = link;
    /** @param {...(string | number)} message */
    const tell = (...message) => {
      if (link.readyState === WebSocket.OPEN) link.send(JSON.stringify(message));
    };
    wire.send = (text) => tell("stdin", text);
    wire.resize = (columns, rows) => tell("set_size", rows, columns);
    link.onopen = () => wire.opened();
    link.onmessage = ({ data }) => {
      const [kind, text] = JSON.parse(data);
      if (kind === "stdout") wire.write(text);
      if (kind === "disconnect") wire.ended("The session has ended.");
    };
    link.onclose = () => {
      if (current === link) wire.ended("The connection to the session is closed.");
    };
  };
  const close = () => {
    const link = current;
    current = null;
    link?.close();
  };
  return { connect, close, remove: () => remove(name) };
}

/**
 * A session through the kernel: bytes in both directions, and word of what was drawn, so that a flood does not pile up.
 * @param {Model} model
 * @param {Wire} wire
 * @returns {Session}
 */
export function byKernel(model, wire) {
  const act = actOn(model);
  let drawn = 0;
  /**
   * @param {{ kind: string, why: string }} content
   * @param {DataView[]} buffers
   */
  const heard = ({ kind, why }, buffers) => {
    if (kind === "ended") wire.ended(why);
    if (kind !== "output") return;
    const [{ buffer, byteOffset, byteLength }] = buffers;
    wire.write(new Uint8Array(buffer, byteOffset, byteLength), () => {
      drawn += byteLength;
      if (drawn < ACK_BYTES) return;
      act("drawn", { count: drawn });
      drawn = 0;
    });
  };
  wire.send = (text) => act("input", { text });
  wire.resize = (columns, rows) => act("size", { columns, rows });
  model.on("msg:custom", heard);
  const connect = () => {
    wire.opened();
    act("open", wire.size());
  };
  return { connect, close: () => model.off("msg:custom", heard), remove: () => {} };
}

/**
 * The serial console through the kernel: its last lines, asked for again and again, drawn when they have changed.
 * @param {Model} model
 * @param {Wire} wire
 * @returns {Session}
 */
export function consoleByKernel(model, wire) {
  /** @type {string | null} */
  let last = null;
  let clock = 0;
  /** @param {{ kind: string, lines: string[] }} content */
  const heard = ({ kind, lines }) => {
    if (kind !== "console") return;
    const text = lines.join("\r\n");
    if (text !== last) wire.redraw?.(text);
    last = text;
  };
  const look = () => actOn(model)("console");
  const connect = () => {
    model.on("msg:custom", heard);
    wire.opened();
    look();
    clock = window.setInterval(look, LOOK_MS);
  };
  const close = () => {
    clearInterval(clock);
    model.off("msg:custom", heard);
  };
  return { connect, close, remove: () => {} };
}
