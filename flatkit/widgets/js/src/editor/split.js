// Tabs as the ARIA pattern has them: arrow keys move, one tab stop. Side by side the text has a place of its own, and no tab.
import { freshId, h } from "../lib/dom.js";

const NARROW = 720;

export class Tabs {
  /** `pages` is [{ name, title, element }]; the first is the text, which has a tab only in a narrow place. */
  constructor(pages, onShow) {
    this.onShow = onShow;
    this.pages = pages.map((page) => ({ ...page, id: freshId("panel") }));
    this.bar = h("div", {
      class: "fk-tabs",
      role: "tablist",
      "aria-label": "Views of this config",
      onkeydown: (event) => this.key(event),
    });
    for (const page of this.pages) {
      page.tab = h(
        "button",
        {
          class: "fk-tab",
          role: "tab",
          id: `${page.id}-tab`,
          "aria-controls": page.id,
          onclick: () => this.show(page.name),
        },
        page.title,
      );
      page.element.id = page.id;
      page.element.setAttribute("role", "tabpanel");
      page.element.setAttribute("aria-labelledby", page.tab.id);
      this.bar.append(page.tab);
    }
    this.current = this.pages[1].name;
    this.isNarrow = false;
  }

  /** Follow the width of the place. */
  follow(root) {
    this.root = root;
    this.observer = new ResizeObserver(([entry]) => {
      const narrow = entry.contentRect.width < NARROW;
      if (narrow !== this.isNarrow) {
        this.isNarrow = narrow;
        this.current = narrow ? this.pages[0].name : (this.aside ?? this.pages[1].name);
        this.draw();
      }
    });
    this.observer.observe(root);
    this.draw();
  }
  stop() {
    this.observer.disconnect();
  }

  get shown() {
    return this.pages.filter((page, at) => !page.hidden && (at > 0 || this.isNarrow));
  }
  offer(name, isThere) {
    const page = this.pages.find((one) => one.name === name);
    if (page.hidden === !isThere) return;
    page.hidden = !isThere;
    this.draw();
  }
  show(name) {
    this.current = name;
    if (name !== this.pages[0].name) this.aside = name;
    this.draw();
    this.onShow(name);
  }
  draw() {
    if (!this.shown.some((page) => page.name === this.current)) this.current = this.shown[0].name;
    this.root?.classList.toggle("fk-narrow", this.isNarrow);
    // The order of focus is the order that is seen: above the text in a narrow place, else above what stands beside it.
    const home = this.isNarrow ? this.pages[0].element.parentElement : this.pages[1].element.parentElement;
    if (home && this.bar.parentElement !== home) home.prepend(this.bar);
    this.pages[1].element.parentElement?.classList.toggle("fk-is-open", this.current !== this.pages[0].name);
    this.pages.forEach((page, at) => {
      const selected = page.name === this.current;
      page.tab.hidden = !this.shown.includes(page);
      page.tab.setAttribute("aria-selected", String(selected));
      page.tab.tabIndex = selected ? 0 : -1;
      page.element.hidden = at === 0 && !this.isNarrow ? false : !selected;
    });
  }
  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const { shown } = this;
    const at = shown.findIndex((page) => page.name === this.current);
    const next = shown[(at + step + shown.length) % shown.length];
    this.show(next.name);
    next.tab.focus();
  }
}
