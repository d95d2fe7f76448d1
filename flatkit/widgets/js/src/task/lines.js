// @ts-check
// Lines to put in order (a Parsons problem): those that are left, and those that are placed. By mouse a click takes
// a line across and a drag moves it; by keys the arrows go through the lines, Enter takes one across, Alt with an
// arrow moves it.
import { unansweredChoices } from "../lib/card.js";
import { h, keep, say } from "../lib/dom.js";

/** @typedef {import("../state").LineState} LineState */

const KEYS = "Enter or a click takes a line across. Up and Down go through the lines; with Alt they move a placed one.";

/** @param {import("../lib/card.js").Act} act */
export function makeLines(act) {
  /** @type {number[]} */
  let placed = []; // as the learner wants them: the next move starts from here, not from an answer that is late
  /** @type {number | null} */
  let dragged = null;
  /** @type {number | null} */
  let wanted = null; // the piece that has the focus, wherever it is drawn next

  /** @param {number} piece @param {number[]} pieces */
  const place = (piece, pieces) => {
    if (String(pieces) === String(placed)) return;
    wanted = piece;
    placed = pieces;
    unanswered.add(String(pieces));
    act("place", { placed: pieces });
  };
  /** @param {number} piece @param {number} at */
  const put = (piece, at) => {
    const rest = placed.filter((one) => one !== piece);
    rest.splice(at, 0, piece);
    place(piece, rest);
  };
  /** @param {number} piece */
  const cross = (piece) =>
    place(piece, placed.includes(piece) ? placed.filter((one) => one !== piece) : [...placed, piece]);

  /** @param {HTMLElement} button @param {number} by */
  const step = (button, by) => {
    const all = [.../** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(".fk-piece"))];
    all[all.indexOf(button) + by]?.focus();
  };

  /** @param {LineState} line */
  const makePiece = ({ piece, text }) => {
    const button = h("button", { type: "button", class: "fk-piece", draggable: "true" }, text);
    button.dataset.piece = String(piece);
    button.addEventListener("click", () => cross(piece));
    button.addEventListener("keydown", (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (by === undefined || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      const at = placed.indexOf(piece);
      if (!event.altKey) step(button, by);
      else if (at >= 0) put(piece, Math.max(0, at + by));
    });
    button.addEventListener("dragstart", (event) => {
      dragged = piece;
      event.dataTransfer?.setData("text/plain", text);
      event.stopPropagation(); // Lumino has drags of its own
    });
    return { root: h("li", {}, button), button };
  };

  /** @param {string} label @param {(piece: number, at: number) => void} drop */
  const makeList = (label, drop) => {
    const list = h("ul", { "aria-label": label });
    list.addEventListener("dragover", (event) => {
      if (dragged !== null) event.preventDefault();
    });
    list.addEventListener("drop", (event) => {
      if (dragged === null) return;
      event.preventDefault();
      event.stopPropagation();
      const rows = [...list.children].filter((row) => row.querySelector(`[data-piece="${dragged}"]`) === null);
      const at = rows.findIndex((row) => {
        const { top, height } = row.getBoundingClientRect();
        return event.clientY < top + height / 2;
      });
      drop(dragged, at < 0 ? rows.length : at);
      dragged = null;
    });
    return list;
  };
  const left = makeList("Lines that are left", (piece) => {
    if (placed.includes(piece)) cross(piece);
  });
  const chosen = makeList("Your config", put);
  const ask = h("p");
  const given = h("pre");
  const said = h("div", { role: "status", "aria-live": "polite" });
  const write = h("button", { type: "button", class: "fk-button", onclick: () => act("write") });
  const columns = h("div", { class: "fk-order" }, h("div", {}, h("b", {}, "Lines"), left));
  columns.append(h("div", {}, h("b", {}, "Your config"), given, chosen));
  const root = h("div", { class: "fk-lines" }, ask, columns, said, write, h("p", { class: "fk-dim" }, KEYS));
  const unanswered = unansweredChoices(root);

  /** @param {import("../state").HintState} hint */
  const draw = (hint) => {
    const answered = hint.placed.map(({ piece }) => piece);
    const isSettled = unanswered.isSettledBy(String(answered));
    if (isSettled) placed = answered;
    say(ask, hint.text);
    say(given, hint.code.trimEnd());
    for (const [list, lines] of /** @type {[Element, LineState[]][]} */ ([
      [left, hint.lines],
      [chosen, hint.placed],
    ]))
      keep(list, lines, { key: ({ piece }) => String(piece), make: makePiece });
    say(said, hint.said);
    said.className = hint.right ? "fk-ok" : hint.said.startsWith("✗") ? "fk-bad" : "fk-dim";
    say(write, `Write it to ${hint.file}`);
    write.title = `Save these lines as ${hint.file}; my text is kept as ${hint.file}~`;
    write.hidden = !hint.right;
    if (isSettled && wanted !== null) {
      /** @type {HTMLElement | null} */ (root.querySelector(`[data-piece="${wanted}"]`))?.focus();
      wanted = null;
    }
  };
  return { root, draw };
}
