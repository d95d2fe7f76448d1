// Where a terminal's keys and output go: to a terminal of Jupyter's own server, or over the kernel where there is no Jupyter page.
const ACK = 64 * 1024;
const LOOK = 1000;

/** Jupyter's server behind this page; null where there is none (VS Code). */
export function findServer() {
  const found = document.getElementById("jupyter-config-data");
  if (!found) return null;
  const { baseUrl = "/", token = "" } = JSON.parse(found.textContent);
  const base = new URL(baseUrl, location.href);
  const ask = (path, options = {}) => {
    const xsrf = /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie)?.[1];
    const headers = {
      "Content-Type": "application/json",
      ...(xsrf && { "X-XSRFToken": xsrf }),
      ...(token && { Authorization: `token ${token}` }),
    };
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
export function byServer({ ask, socket }, name, argv, wire) {
  let current = null;
  const connect = async () => {
    try {
      if ((await ask(`api/terminals/${name}`)).status === 404) {
        const made = await ask("api/terminals", {
          method: "POST",
          body: JSON.stringify({ name, shell_command: argv }),
        });
        if (!made.ok) throw new Error(`the server says ${made.status}`);
      }
    } catch (error) {
      wire.ended(`No terminal: ${error.message}`);
      return;
    }
    const link = (current = socket(name));
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
  return {
    connect,
    close: () => {
      const link = current;
      current = null;
      link?.close();
    },
    remove: () => ask(`api/terminals/${name}`, { method: "DELETE" }).catch(() => {}),
  };
}

/** By the kernel: bytes in both directions, and word of what was drawn, so that a flood does not pile up. */
export function byKernel(model, wire) {
  let drawn = 0;
  const heard = (content, buffers) => {
    if (content.kind === "output") {
      const bytes = new Uint8Array(buffers[0].buffer, buffers[0].byteOffset, buffers[0].byteLength);
      wire.write(bytes, () => {
        drawn += bytes.length;
        if (drawn >= ACK) {
          model.send({ kind: "drawn", bytes: drawn });
          drawn = 0;
        }
      });
    }
    if (content.kind === "ended") wire.ended(content.why);
  };
  wire.send = (text) => model.send({ kind: "input", text });
  wire.resize = (columns, rows) => model.send({ kind: "size", columns, rows });
  model.on("msg:custom", heard);
  return {
    connect: () => {
      wire.opened();
      model.send({ kind: "open", columns: wire.columns(), rows: wire.rows() });
    },
    close: () => model.off("msg:custom", heard),
    remove: () => {},
  };
}

/** The serial console by the kernel: its last lines, asked for again and again; drawn anew when they have changed. */
export function consoleByKernel(model, wire) {
  let last = null,
    clock = null;
  const heard = (content) => {
    if (content.kind !== "console") return;
    const text = content.lines.join("\r\n");
    if (text !== last) wire.redraw(text);
    last = text;
  };
  const look = () => model.send({ kind: "console" });
  return {
    connect: () => {
      model.on("msg:custom", heard);
      wire.opened();
      look();
      clock = setInterval(look, LOOK);
    },
    close: () => {
      clearInterval(clock);
      model.off("msg:custom", heard);
    },
    remove: () => {},
  };
}
