// @ts-check
// The conversation with Python about one text. The page owns the text: what comes from Python is only put into it on
// request. At most one edit is on its way, the newest waits behind it: a slow answer never makes a queue.
import { actOn, lifeOf, stateOf } from "../lib/card.js";

/** @typedef {import("../state").CheckedMessage} CheckedMessage */
/** @typedef {import("../state").BecameMessage} BecameMessage */

const SLOW_MS = 1500;

/** The one conversation of a model; several views of it share the text. */
export class Talk extends EventTarget {
  page = Math.random().toString(36).slice(2);
  /** The number of the newest text. */
  seq = 0;
  /** The newest edit that Python has checked, and saved. */
  answered = 0;
  /** @type {{ seq: number, text: string, at: number } | null} */
  onItsWay = null;
  tab = "ignition";
  /**
   * The newest answer of each kind, for views that come later.
   * @type {{ checked?: CheckedMessage, became?: BecameMessage }}
   */
  last = {};
  /** What was typed without a kernel, where the file has changed since. @type {string | undefined} */
  offered = undefined;
  cameBack = false;

  /** @param {import("../lib/card.js").Model<import("../state").EditorState>} model */
  constructor(model) {
    super();
    const { text, place, edition } = stateOf(model);
    this.act = actOn(model);
    this.text = text;
    this.edition = edition; // the number of the text that the next edit is made on
    this.base = text; // what Python has
    this.sent = text; // what Python may have: its answer can be lost
    this.key = `flatkit-draft:${place}`;
    model.on("msg:custom", (content) => this.hear(content));
    this.life = lifeOf(model, () => this.lifeChanged());
    this.takeDraft();
    this.ask("hello", { seq: this.seq });
    if (this.text !== this.base) this.sendNewest();
  }

  get isAlive() {
    return this.life.isAlive;
  }
  get isSaved() {
    return this.answered >= this.seq;
  }
  get isSlow() {
    return !this.isSaved && this.onItsWay !== null && performance.now() - this.onItsWay.at > SLOW_MS;
  }

  /** What was typed while no kernel could save it comes back by itself, unless the file has changed since. */
  takeDraft() {
    const draft = this.readDraft();
    if (!draft || draft.text === this.base) {
      this.dropDraft();
    } else if (draft.bases.includes(this.base)) {
      this.text = draft.text;
      this.seq = 1;
      this.cameBack = true;
    } else this.offered = draft.text;
  }

  /** @returns {{ bases: string[], text: string } | null} */
  readDraft() {
    try {
      const draft = JSON.parse(localStorage.getItem(this.key) ?? "null");
      return Array.isArray(draft?.bases) && typeof draft.text === "string" ? draft : null;
    } catch {
      return null;
    }
  }

  keepDraft() {
    try {
      localStorage.setItem(this.key, JSON.stringify({ bases: [this.base, this.sent], text: this.text }));
    } catch {
      // full, or not allowed
    }
  }

  dropDraft() {
    this.offered = undefined;
    try {
      localStorage.removeItem(this.key);
    } catch {
      // not allowed
    }
    this.changed();
  }

  /**
   * @param {string} text
   * @param {object} from the view in which it was typed
   */
  edit(text, from) {
    this.text = text;
    this.seq += 1;
    this.keepDraft();
    this.emit("text", { from });
    this.sendNewest();
    this.changed();
  }

  sendNewest() {
    if (this.onItsWay || !this.isAlive) return;
    this.onItsWay = { seq: this.seq, text: this.text, at: performance.now() };
    this.sent = this.text;
    this.keepDraft();
    this.ask("edit", { seq: this.seq, text: this.text, on: this.edition });
    setTimeout(() => this.changed(), SLOW_MS + 50);
  }

  /**
   * @param {string} verb
   * @param {object} more
   */
  ask(verb, more = {}) {
    if (this.isAlive) this.act(verb, { page: this.page, tab: this.tab, ...more });
  }

  /** @param {string} tab */
  show(tab) {
    this.tab = tab;
    if (tab !== "ignition") this.ask("hello", { seq: this.seq });
  }

  lifeChanged() {
    this.onItsWay = null; // no answer comes any more
    if (!this.isSaved) this.sendNewest();
    this.changed();
  }

  /** @param {import("../state").EditorMessage} message */
  hear(message) {
    if (message.kind === "checked") this.checked(message);
    else if (message.kind === "became") this.became(message);
    else if (message.page && message.page !== this.page) return;
    else if (message.kind === "replace") this.replace(message);
    else this.emit(message.kind, message);
  }

  /** @param {BecameMessage} message */
  became(message) {
    if (message.page !== this.page || message.seq !== this.seq) return;
    this.last.became = message;
    this.emit("became", message);
  }

  /** @param {CheckedMessage} message */
  checked(message) {
    if (message.page !== this.page) {
      // Another page edits the same file: follow it, unless something of this page is still on its way.
      if (message.page && this.isSaved) this.ask("sync");
      return;
    }
    if (this.onItsWay?.seq === message.seq) {
      this.base = this.onItsWay.text;
      this.edition = message.edition;
      this.onItsWay = null;
    }
    this.answered = Math.max(this.answered, message.seq);
    if (message.seq < this.seq) {
      this.sendNewest();
      return;
    }
    this.last.checked = message;
    if (!this.offered) this.dropDraft();
    this.emit("checked", message);
    this.changed();
  }

  /** @param {import("../state").ReplaceMessage} message */
  replace({ text, edition }) {
    // Typed before this arrived: Python sees that it was made on another text, and asks which one to keep.
    if (!this.isSaved) return;
    this.edition = edition;
    if (text === this.text) return;
    this.text = text;
    this.base = text;
    this.sent = text;
    this.emit("text", { from: null });
  }

  /**
   * @param {string} kind
   * @param {object} [detail]
   */
  emit(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }

  changed() {
    this.emit("state");
  }
}
