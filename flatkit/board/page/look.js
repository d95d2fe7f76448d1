// The board's requests to a seat: to look, to rewind, to restart; and what the seat shows while its learner allows it.
// Everything is set as text, so nothing that a seat sends becomes part of the page.
"use strict";
const ANSWERED = {
  asked: "no answer yet",
  refused: "the learner said no",
  over: "the look is over",
  withdrawn: "taken back",
  expired: "no answer came",
  done: "done",
  failed: "failed",
};
const LOOK_EVERY = 1000;
const watched = { seat: "", machine: "", asks: {}, look: "", last: 0, timer: 0 };

function makeLook(seat) {
  const look = make("button", "Look");
  look.type = "button";
  look.addEventListener("click", () => openLook(seat, look.dataset.machine));
  return look;
}

function drawLook(look, one) {
  const { look: asked, verb } = one.asks ?? {};
  const isOpen = asked?.state === "allowed";
  const waits = asked?.state === "asked" || verb?.state === "asked" || verb?.state === "allowed";
  say(look, isOpen ? "Look ◉" : waits ? "Look …" : "Look");
  look.setAttribute("aria-label", `${isOpen ? "Look, allowed" : waits ? "Look, asked" : "Look"}: ${one.seat}`);
  look.classList.toggle("open-look", isOpen);
  look.dataset.machine = one.machine.includes(": ") ? one.machine.split(": ")[0] : "";
  if (one.seat === watched.seat && el("watch").open) drawAsks(one.asks ?? {});
}

function openLook(seat, machine) {
  Object.assign(watched, { seat, machine, look: "", last: 0 });
  say(el("watch-title"), `Help for ${seat}`);
  say(el("watch-refused"), "");
  el("shown").replaceChildren();
  el("screens").replaceChildren();
  drawAsks({});
  el("watch").showModal();
  refresh();
}

const minutes = (left) => (left < 60 ? "less than a minute" : `${Math.ceil(left / 60)} min`);
function inWords(ask, doing) {
  if (!ask) return "";
  const what = ask.kind + (ask.machine ? ` "${ask.machine}"` : "");
  const said = ask.state === "allowed" ? doing(ask) : ANSWERED[ask.state];
  return `${what}: ${said}${ask.text ? `: ${ask.text}` : ""}`;
}

function drawAsks(asks) {
  watched.asks = asks;
  const { look, verb } = asks;
  const isAsked = look?.state === "asked" || look?.state === "allowed";
  say(el("look-state"), inWords(look, ({ left }) => `allowed, it ends in ${minutes(left)}`));
  say(el("verb-state"), inWords(verb, () => "the learner said yes, it is under way"));
  say(el("ask-look"), look?.state === "allowed" ? "End the look" : isAsked ? "Take back" : "Ask to look");
  for (const kind of ["rewind", "restart"]) {
    const waits = verb?.state === "asked" && verb.kind === kind;
    say(el(`ask-${kind}`), waits ? "Take back" : `Ask to ${kind} ${watched.machine || "the machine"}`);
  }
  el("shown").hidden = look?.state !== "allowed";
  if (look?.state !== "allowed") {
    el("shown").replaceChildren(); // what was shown is gone with the permission
    el("screens").replaceChildren();
  }
}

async function askSeat(kind) {
  const { seat, machine, asks } = watched;
  const held = kind === "look" ? asks.look : asks.verb;
  const back = held?.kind === kind && (held.state === "asked" || (kind === "look" && held.state === "allowed"));
  const { error, asks: now } = await post("ask", { seat, kind, back, machine: kind === "look" ? "" : machine });
  say(el("watch-refused"), error ?? "");
  if (now && seat === watched.seat) drawAsks(now);
}

function drawPieces(pieces, screens) {
  const log = el("shown");
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  for (const { kind, source, text } of pieces)
    log.append(make("pre", kind === "cell" ? `${source} ▸ ${text}` : text, kind));
  while (log.childElementCount > 500) log.firstChild.remove();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
  const there = [...el("screens").children];
  screens.forEach(({ source, text }, at) => {
    const screen = there[at] ?? el("screens").appendChild(make("pre", "", "screen"));
    screen.tabIndex = 0;
    screen.setAttribute("role", "region");
    screen.setAttribute("aria-label", source);
    say(screen, text);
  });
  for (const screen of there.slice(screens.length)) screen.remove();
}

async function refresh() {
  clearTimeout(watched.timer);
  const { seat } = watched;
  if (!el("watch").open) return;
  try {
    const asked = new URL(url("look"), document.baseURI);
    asked.searchParams.set("seat", seat);
    asked.searchParams.set("after", String(watched.last));
    const answer = await fetch(asked);
    if (answer.ok && seat === watched.seat) {
      const { look, pieces, screens, last, asks } = await answer.json();
      if (look !== watched.look) {
        // Another look counts from the beginning.
        el("shown").replaceChildren();
        Object.assign(watched, { look, last: 0 });
        drawAsks(asks);
        drawPieces([], []);
      } else {
        watched.last = last;
        drawAsks(asks);
        drawPieces(pieces, look ? screens : []);
      }
    }
  } catch {
    // The board is away: the page says so, and this asks again.
  }
  watched.timer = setTimeout(refresh, LOOK_EVERY);
}

for (const kind of ["look", "rewind", "restart"]) el(`ask-${kind}`).addEventListener("click", () => askSeat(kind));
el("watch-close").addEventListener("click", () => el("watch").close());
el("watch").addEventListener("close", () => {
  clearTimeout(watched.timer);
  watched.seat = "";
});
