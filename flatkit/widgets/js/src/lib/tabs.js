// @ts-check
// Tabs after the ARIA pattern: arrow keys move between them, and the bar is one tab stop.
import { freshId, h } from "./dom.js";

/**
 * @typedef {object} Page
 * @property {string} name
 * @property {string} title
 * @property {HTMLElement} element the panel
 * @property {HTMLButtonElement} tab
 * @property {boolean} isOffered
 */

export class Tabs {
  /**
   * @param {object} options
   * @param {string} options.label
   * @param {{ name: string, title: string, element: HTMLElement }[]} options.pages
   * @param {string} [options.current]
   * @param {(name: string) => void} options.onShow called when the user chooses a tab
   */
  constructor({ label, pages, current = pages[0].name, onShow }) {
    this.onShow = onShow;
    this.current = current;
    this.bar = h("div", { class: "fk-tabs", role: "tablist", "aria-label": label });
    this.bar.addEventListener("keydown", (event) => this.key(event));
    /** @type {Page[]} */
    this.pages = pages.map((page) => ({ ...page, tab: this.makeTab(page), isOffered: true }));
    this.bar.append(...this.pages.map((page) => page.tab));
  }

  /** @param {{ name: string, title: string, element: HTMLElement }} page */
  makeTab({ name, title, element }) {
    element.id = freshId("panel");
    const id = `${element.id}-tab`;
    element.setAttribute("role", "tabpanel");
    element.setAttribute("aria-labelledby", id);
    const onclick = () => this.choose(name);
    return h(
      "button",
      { type: "button", class: "fk-tab", role: "tab", id, "aria-controls": element.id, onclick },
      title,
    );
  }

  /** The tabs that can be chosen now. */
  get offered() {
    return this.pages.filter((page) => page.isOffered);
  }

  /**
   * Offer a tab, or take it away.
   * @param {string} name
   * @param {boolean} isOffered
   */
  offer(name, isOffered) {
    const page = this.pages.find((one) => one.name === name);
    if (!page || page.isOffered === isOffered) return;
    page.isOffered = isOffered;
    this.draw();
  }

  /**
   * Show a tab, as the user's choice.
   * @param {string} name
   */
  choose(name) {
    this.show(name);
    this.onShow(name);
  }

  /** @param {string} name */
  show(name) {
    this.current = name;
    this.draw();
  }

  draw() {
    if (!this.offered.some((page) => page.name === this.current)) this.current = this.offered[0].name;
    for (const { name, tab, element, isOffered } of this.pages) {
      const isCurrent = name === this.current;
      tab.hidden = !isOffered;
      tab.setAttribute("aria-selected", String(isCurrent));
      tab.tabIndex = isCurrent ? 0 : -1;
      element.hidden = !isCurrent;
    }
  }

  focus() {
    this.pages.find((page) => page.name === this.current)?.tab.focus();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const { offered } = this;
    const at = offered.findIndex((page) => page.name === this.current);
    this.choose(offered[(at + step + offered.length) % offered.length].name);
    this.focus();
  }
}
