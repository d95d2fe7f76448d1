// @ts-check
// The learner's flag for the trainer's board, at the bottom of a card; hidden where no board was joined.
import { makeButton } from "./card.js";
import { freshId, h, keep, say, sayOrHide } from "./dom.js";

/** @typedef {import("../state").FlagState} FlagState */
/** @typedef {import("../state").AskState} AskState */

/**
 * A request of the trainer, with the learner's answers.
 * @param {import("./card.js").Act} act
 * @param {AskState} ask
 */
function makeAsk(act, { ident, minutes }) {
  const text = h("div", { role: "status", "aria-live": "assertive" });
  const times = minutes.map((count) =>
    makeButton(`Allow for ${count} minutes`, () => act("allow", { ident, minutes: count })),
  );
  const yes = makeButton("Yes, do it", () => act("allow", { ident }));
  const no = makeButton("No", () => act("refuse", { ident }));
  const answers = h("div", { class: "fk-flag-line" }, ...(times.length ? times : [yes]), no);
  const end = makeButton("End it now", () => act("endlook"));
  return { root: h("li", {}, text, answers, end), text, answers, end };
}

/**
 * @param {ReturnType<typeof makeAsk>} parts
 * @param {AskState} ask
 */
function updateAsk(parts, { text, answer, end }) {
  say(parts.text, `◉ ${text}`);
  parts.answers.hidden = !answer;
  parts.end.hidden = !end;
}

/**
 * Lead to a cell as JupyterLab's own links do: by a command, which opens a tab. Elsewhere the address leads there.
 * @param {HTMLAnchorElement} el
 * @param {FlagState["link"]} link
 */
function lead(el, link) {
  el.hidden = !link;
  if (!link) return;
  const { words, address, path, fragment } = link;
  say(el, words);
  el.setAttribute("href", address);
  el.setAttribute("data-commandlinker-command", "rendermime:handle-local-link");
  el.setAttribute("data-commandlinker-args", JSON.stringify({ path, id: fragment }));
}

/**
 * @param {HTMLElement} root
 * @param {import("./card.js").Act} act
 */
export function makeFlag(root, act) {
  /** @type {FlagState["flag"]} */
  let raised = "none";
  /** @param {FlagState["flag"]} flag */
  const press = (flag) => act("flag", { flag: raised === flag ? "none" : flag, word: "" });
  const help = makeButton("◆ I need help", () => press("help"), {
    title: "A helper sees it; press again to take it back",
  });
  const done = makeButton("○ Done", () => press("done"), {
    title: "I wait for the others; press again to take it back",
  });
  const buttons = { help, done };
  const id = freshId("word");
  const word = h("input", {
    id,
    type: "text",
    maxlength: "80",
    autocomplete: "off",
    placeholder: "in a few words, if you like",
  });
  const form = h(
    "form",
    {},
    h("label", { for: id }, "What is it about?"),
    word,
    h("button", { class: "fk-button" }, "Send"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act("flag", { flag: "help", word: word.value });
  });
  form.addEventListener("keydown", (event) => event.stopPropagation()); // the letters are not the card's keys
  const ask = h("span", {}, "Three tries did not work. Do you want a helper?");
  const no = makeButton("Not now", () => act("decline"));
  const offer = h("div", { class: "fk-flag-offer", role: "status", "aria-live": "polite" });
  const said = h("span", { role: "status", "aria-live": "polite" });
  const room = h("div", { class: "fk-flag-room", role: "status", "aria-live": "assertive" });
  const roomText = h("span");
  const link = h("a", { hidden: true });
  room.append(roomText, " ", link);
  const hints = h("ul", { class: "fk-flag-hints", "aria-label": "Hints of the trainer" });
  const elsewhere = h("div", { role: "status", "aria-live": "polite" });
  const line = h(
    "div",
    { class: "fk-flag-line", role: "group", "aria-label": "Tell the trainer" },
    help,
    done,
    form,
    said,
  );
  const asks = h("ul", { class: "fk-flag-asks", "aria-label": "The trainer's requests" });
  const bar = h("footer", { class: "fk-flag", hidden: true }, room, asks, hints, elsewhere, offer, line);
  root.append(bar);

  /** @type {WeakMap<Element, number>} */
  const numbers = new WeakMap();
  // Only what is in view counts as shown: neither a tab in the background nor a card further down.
  const views = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries)
      if (isIntersecting) {
        views.unobserve(target);
        act("shown", { number: numbers.get(target) });
      }
  });

  /** @param {{ flag?: FlagState | null }} state */
  return ({ flag }) => {
    bar.hidden = !flag;
    if (!flag) return;
    raised = flag.flag;
    for (const [name, button] of Object.entries(buttons)) button.setAttribute("aria-pressed", String(name === raised));
    form.hidden = raised !== "help" || flag.word !== "";
    if (form.hidden) word.value = "";
    say(said, flag.said + (flag.word ? ` (${flag.word})` : ""));
    say(roomText, flag.room && `The trainer: ${flag.room}`);
    room.hidden = !flag.room;
    lead(link, flag.link);
    keep(asks, flag.asks, {
      key: ({ ident }) => ident,
      make: (ask) => makeAsk(act, ask),
      update: updateAsk,
    });
    keep(hints, flag.hints, {
      key: ({ number }) => String(number),
      make: ({ number }) => {
        const text = h("div", { role: "status", "aria-live": "polite" });
        const change = h("pre", { tabindex: "0", role: "region" });
        const root = h("li", {}, text, change);
        numbers.set(root, number);
        views.observe(root);
        return { root, text, change };
      },
      update: (parts, { text, file, change }) => {
        say(parts.text, `◇ The trainer: ${text}${file && ` (for ${file}, to look at: nothing is written)`}`);
        sayOrHide(parts.change, change);
        parts.change.setAttribute("aria-label", `the trainer's change to ${file}`);
      },
    });
    sayOrHide(elsewhere, flag.elsewhere && `◇ The trainer has sent a hint for ${flag.elsewhere}: see its card`);
    offer.hidden = !flag.offer;
    if (flag.offer && !offer.firstChild) offer.append(ask, no);
    if (!flag.offer) offer.replaceChildren();
    help.classList.toggle("fk-primary", flag.offer);
  };
}
