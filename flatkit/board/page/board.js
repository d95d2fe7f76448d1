// The board: draws what the stream sends. Everything is set as text, so nothing that a seat sends becomes part of the page.
"use strict";
const el = (id) => document.getElementById(id);
const MARKS = { help: "◆ needs help", stuck: "▲ stuck", silent: "… silent", away: "… away", active: "● at work", done: "○ done" };
const VERDICTS = { passed: "✓", wrong: "✗", waiting: "…", shown: "◇" };
const make = (tag, text = "", name = "") => {
  const made = document.createElement(tag);
  made.textContent = text;
  if (name) made.className = name;
  return made;
};
const COME = "I am coming";
const span = (seconds) => (seconds < 60 ? "now" : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`);
const say = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};
const rows = new Map();

function rowOf(seat) {
  let row = rows.get(seat);
  if (!row) {
    const root = make("tr");
    const cells = Array.from({ length: 7 }, (_, at) => root.appendChild(make(at ? "td" : "th")));
    cells[0].scope = "row";
    cells[1].className = "state";
    cells[4].className = "tries";
    const button = make("button", COME);
    button.type = "button";
    button.addEventListener("click", () => {
      if (button.textContent === COME) send({ seat, kind: "coming", text: "a helper is coming", raised: row.raised });
      else send({ seat, kind: "resolved", raised: row.raised });
    });
    const hint = make("button", "Hint");
    hint.type = "button";
    hint.setAttribute("aria-label", `Hint: ${seat}`);
    hint.addEventListener("click", () => ask(seat, row.task));
    const receipt = make("small", "", "receipt");
    const look = makeLook(seat);
    cells[6].append(button, " ", hint, " ", look, " ", receipt);
    row = { root, cells, button, receipt, look, task: "", raised: 0 };
    rows.set(seat, row);
  }
  return row;
}

// Behind a hub each request of the page repeats this cookie, which pages of other paths cannot read.
const xsrf = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1];
const url = (name) => (xsrf ? `${name}?_xsrf=${encodeURIComponent(decodeURIComponent(xsrf))}` : name);
const post = async (name, body) => {
  const answer = await fetch(url(name), { method: "POST", body: JSON.stringify(body) }).catch(() => null);
  if (!answer) return { error: "the board does not answer" };
  const found = await answer.json().catch(() => ({}));
  return answer.ok ? found : { error: found.error ?? `status ${answer.status}` };
};
const send = async (said) => (await post("say", said)).error ?? "";

// The link of a word to all seats: the course's notebooks with their steps, and others that a seat has opened.
const places = new Map();
let opened = [];
const option = (value, text) => {
  const made = make("option", text);
  made.value = value;
  return made;
};
async function offerPlaces() {
  if (!places.size) {
    const answer = await fetch(url("places")).catch(() => null);
    for (const { notebook, steps } of answer?.ok ? (await answer.json()).notebooks : []) places.set(notebook, steps);
  }
  const names = new Set([...places.keys(), ...opened]);
  el("notebook").replaceChildren(option("", "no link"), ...[...names].map((name) => option(name, name)));
  offerSteps();
}
function offerSteps() {
  const steps = places.get(el("notebook").value) ?? [];
  const words = ({ step, title }) => `${step}${title ? `: ${title}` : ""}`;
  el("step").replaceChildren(option("", "its beginning"), ...steps.map((one) => option(one.cell, words(one))));
  el("step").disabled = !steps.length;
}
el("notebook").addEventListener("change", offerSteps);

// The dialog: a hint to one seat, or a word to all.
let to = "";
function ask(seat, task = "") {
  to = seat;
  say(el("speak-title"), seat ? `A hint for ${seat}` : "To all seats");
  for (const name of ["text", "file", "config"]) el(name).value = "";
  el("task").value = task;
  say(el("refused"), "");
  el("hint").hidden = !seat;
  el("place").hidden = Boolean(seat);
  if (!seat) void offerPlaces();
  el("pause").hidden = el("over").hidden = Boolean(seat);
  el("speak").showModal();
}

async function submit(event) {
  event.preventDefault();
  const value = (name) => el(name).value;
  const by = event.submitter?.id;
  const kind = to ? "hint" : by === "pause" ? "pause" : "room";
  const text = by === "over" ? "" : value("text").replaceAll("\n", " ");
  const hint = () => ({ task: value("task").trim(), file: value("file").trim(), config: value("config") });
  const link = () => (by === "over" ? {} : { notebook: value("notebook"), cell: value("step") });
  const more = to ? hint() : link();
  if (by === "send" && !text && !more.config && !more.notebook) return say(el("refused"), "write a few words first");
  const refused = await send({ seat: to, kind, text, ...more });
  if (refused) say(el("refused"), refused);
  else el("speak").close();
}
el("speak").addEventListener("submit", submit);
el("cancel").addEventListener("click", () => el("speak").close());
el("all").addEventListener("click", () => ask(""));

// Rows stay where they are while somebody points at them: a click must not meet another seat.
const STILL = 3000;
let pointed = 0;
el("rows").addEventListener("pointermove", () => {
  pointed = Date.now();
});
el("rows").addEventListener("pointerleave", () => {
  pointed = 0;
});

function drawRows(seats) {
  const body = el("rows");
  const isStill = Date.now() - pointed < STILL;
  const focused = document.activeElement;
  el("empty").hidden = seats.length > 0;
  const there = new Set(seats.map(({ seat }) => seat));
  for (const [seat, { root }] of rows)
    if (!there.has(seat)) {
      root.remove();
      rows.delete(seat);
    }
  seats.forEach((one, at) => {
    const row = rowOf(one.seat);
    const { root, cells, button, receipt } = row;
    row.task = one.task;
    row.raised = one.raised;
    root.className = one.status;
    say(cells[0], one.seat);
    say(cells[1], MARKS[one.status] + (one.flag === "help" ? ` ${span(one.waiting)}${one.word ? `: ${one.word}` : ""}` : ""));
    say(cells[2], one.where || "–");
    say(cells[3], one.where ? span(one.here) : "");
    say(cells[4], one.results.map(({ verdict }) => VERDICTS[verdict] ?? "·").join("") + (one.failing ? ` ${one.failing}` : ""));
    cells[4].setAttribute("aria-label", one.results.map(({ task, verdict }) => `${task} ${verdict}`).join(", ") || "none yet");
    say(cells[5], one.machine);
    for (const cell of [cells[1], cells[4], cells[5]]) cell.title = cell.textContent; // may be longer than the column
    const ago = one.hint.ago < 60 ? "just now" : `${span(one.hint.ago)} ago`;
    say(receipt, "ago" in one.hint ? `${one.hint.shown ? "✓ shown" : "sent"} ${ago}` : "");
    say(button, one.coming ? "Done" : COME);
    button.setAttribute("aria-label", `${button.textContent}: ${one.seat}`);
    drawLook(row.look, one);
    if (isStill ? !root.isConnected : body.children[at] !== root) body.insertBefore(root, (!isStill && body.children[at]) || null);
  });
  // A row that moves loses the focus.
  if (focused !== document.activeElement && body.contains(focused)) focused.focus({ preventScroll: true });
}

// Hidden from the room: the name of a notebook or task that one seat alone has says whose it is, and may say anything.
const lone = (count, all) => (count === 1 && all > 1 ? "lone" : "");

function drawHeat(notebooks, all) {
  el("heat").replaceChildren(
    ...notebooks.map(({ notebook, seats }) => {
      const count = Object.keys(seats).length;
      const line = make("div", "", `line ${lone(count, all)}`);
      const bar = make("span", "", "bar");
      bar.style.width = `${(60 * count) / Math.max(1, all)}%`;
      const value = make("span");
      value.append(bar, ` ${count} of ${all}`);
      line.append(make("span", notebook), value);
      return line;
    }),
  );
}

function drawQuestions(questions, all) {
  el("questions").replaceChildren(
    ...questions.flatMap(({ task, question, choices }) => {
      const sum = Object.values(choices).reduce((so, one) => so + one, 0);
      const name = lone(sum, all);
      return [
        make("p", `${task}, question ${question}`, name),
        ...Object.entries(choices).map(([choice, count]) => {
          const line = make("div", "", `line ${name}`);
          const bar = make("span", "", "bar");
          bar.style.width = `${(60 * count) / sum}%`;
          const value = make("span");
          value.append(bar, ` ${count}`);
          line.append(make("span", `answer ${String.fromCharCode(97 + Number(choice))}`), value);
          return line;
        }),
      ];
    }),
  );
}

function draw({ rows: seats, counts, notebooks, questions, middle, room }) {
  const said = Object.entries(MARKS).filter(([status]) => counts[status]);
  say(el("counts"), said.map(([status, mark]) => `${mark}: ${counts[status]}`).join(" · "));
  say(el("middle"), middle.notebook ? `Half the room is at ${middle.notebook}, step ${middle.step}, or further.` : "");
  say(el("room"), room && `All seats see: ${room}`);
  el("room").hidden = !room;
  opened = notebooks.map(({ notebook }) => notebook);
  drawRows(seats);
  drawHeat(notebooks, seats.length);
  drawQuestions(questions, seats.length);
}

const turn = () => {
  const isOn = document.body.classList.toggle("projector");
  el("projector").setAttribute("aria-pressed", String(isOn));
};
el("projector").addEventListener("click", turn);
document.addEventListener("keydown", (event) => {
  if (event.key === "p" && !document.querySelector("dialog[open]") && !event.ctrlKey && !event.metaKey && !event.altKey) turn();
});
const AGAIN = 2000;
const QUIET = 15_000; // the board speaks every five seconds
let heard = Date.now();
let stream;
function follow() {
  stream?.close();
  stream = new EventSource(url("stream"));
  stream.addEventListener("message", ({ data }) => {
    heard = Date.now();
    el("lost").hidden = true;
    draw(JSON.parse(data));
  });
  stream.addEventListener("error", async () => {
    el("lost").hidden = false;
    // A browser tries again by itself while nothing answers. An answer that is an error ends it: a proxy's, or the login's.
    if (stream.readyState !== EventSource.CLOSED) return;
    const answer = await fetch(url("places")).catch(() => null);
    el("out").hidden = answer?.status !== 403;
    el("lost").hidden = !el("out").hidden;
    if (el("out").hidden) setTimeout(follow, AGAIN);
  });
}
follow();
// A network that is cut, or a host that sleeps, ends no connection.
setInterval(() => {
  if (Date.now() - heard < QUIET || !el("out").hidden) return;
  heard = Date.now();
  el("lost").hidden = false;
  follow();
}, AGAIN);
