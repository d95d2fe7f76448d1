// The conversation with Python about one text. The page owns the text: what comes from Python is only ever put into it when
// it was asked for. At most one edit is on its way, the newest waits behind it: a slow answer never makes a queue.
import { lifeOf } from "../lib/dom.js";

const SLOW = 1500;

/** The one conversation of a model; several views of it share the text. */
export class Talk extends EventTarget {
  constructor(model) {
    super();
    this.model = model;
    this.page = Math.random().toString(36).slice(2);
    this.seq = 0; // of the newest text
    this.answered = 0; // the newest edit that Python has judged, and saved
    this.onItsWay = null;
    this.text = model.get("text");
    this.base = this.sent = this.text; // what Python has, and what it may have: its answer can be lost
    this.tab = "ignition";
    this.last = {}; // the newest answer of each kind, for views that come later
    this.key = `flatkit-draft:${model.get("place")}`;
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
    return !this.isSaved && this.onItsWay !== null && performance.now() - this.onItsWay.at > SLOW;
  }

  /** What was typed while no kernel could keep it. It comes back by itself unless the file has become another one. */
  takeDraft() {
    const draft = this.readDraft();
    if (!draft || draft.text === this.base) return this.dropDraft();
    if (draft.bases.includes(this.base)) {
      this.text = draft.text;
      this.seq = 1;
      this.cameBack = true;
    } else this.offered = draft.text;
  }
  readDraft() {
    try {
      const draft = JSON.parse(localStorage.getItem(this.key));
      return Array.isArray(draft?.bases) && typeof draft.text === "string" ? draft : null;
    } catch {
      return null;
    }
  }
  keepDraft() {
    try {
      localStorage.setItem(this.key, JSON.stringify({ bases: [this.base, this.sent], text: this.text }));
    } catch {
      /* full, or not allowed */
    }
  }
  dropDraft() {
    this.offered = undefined;
    try {
      localStorage.removeItem(this.key);
    } catch {
      /* not allowed */
    }
    this.changed();
  }

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
    this.ask("edit", { seq: this.seq, text: this.text });
    setTimeout(() => this.changed(), SLOW + 50);
  }
  ask(kind, more = {}) {
    if (this.isAlive) this.model.send({ kind, page: this.page, tab: this.tab, ...more });
  }
  show(tab) {
    this.tab = tab;
    if (tab !== "ignition") this.ask("hello", { seq: this.seq });
  }

  lifeChanged() {
    this.onItsWay = null; // whatever was on its way is not answered any more
    if (!this.isSaved) this.sendNewest();
    this.changed();
  }

  hear(content) {
    if (content.kind === "judged") return this.judged(content);
    if (content.kind === "became" && content.page === this.page && content.seq === this.seq) {
      this.last.became = content;
      return this.emit("became", content);
    }
    if (content.page && content.page !== this.page) return;
    if (content.kind === "replace") this.replace(content.text);
    if (["others", "take", "said"].includes(content.kind)) this.emit(content.kind, content);
  }
  judged(content) {
    if (content.page !== this.page) {
      // Another page edits the same file: follow it, unless something of this page is still on its way.
      if (content.page && this.isSaved) this.ask("sync");
      return;
    }
    if (this.onItsWay?.seq === content.seq) {
      this.base = this.onItsWay.text;
      this.onItsWay = null;
    }
    this.answered = Math.max(this.answered, content.seq);
    if (content.seq < this.seq) return this.sendNewest();
    this.last.judged = content;
    if (!this.offered) this.dropDraft();
    this.emit("judged", content);
    this.changed();
  }
  replace(text) {
    if (text === this.text) return;
    this.text = this.base = this.sent = text;
    this.emit("text", { from: null });
  }

  emit(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
  changed() {
    this.emit("state");
  }
}
