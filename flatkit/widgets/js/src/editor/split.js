// @ts-check
// The editor's tabs. Side by side the text has a place of its own and no tab; in a narrow place it is the first tab.
import { Tabs } from "../lib/tabs.js";

const NARROW = 720;

export class SplitTabs extends Tabs {
  isNarrow = false;

  /** @param {ConstructorParameters<typeof Tabs>[0]} options the first page is the text */
  constructor(options) {
    super({ ...options, current: options.pages[1].name });
    this.aside = this.current;
    this.pages[0].isOffered = false;
  }

  /**
   * Follow the width of the place.
   * @param {HTMLElement} root
   */
  follow(root) {
    this.root = root;
    this.observer = new ResizeObserver(([entry]) => {
      const isNarrow = entry.contentRect.width < NARROW;
      if (isNarrow === this.isNarrow) return;
      this.isNarrow = this.pages[0].isOffered = isNarrow;
      this.show(isNarrow ? this.pages[0].name : this.aside);
    });
    this.observer.observe(root);
    this.draw();
  }

  stop() {
    this.observer?.disconnect();
  }

  /** @param {string} name */
  show(name) {
    if (name !== this.pages[0].name) this.aside = name;
    super.show(name);
  }

  draw() {
    super.draw();
    const [text, beside] = this.pages;
    if (!this.isNarrow) text.element.hidden = false;
    this.root?.classList.toggle("fk-narrow", this.isNarrow);
    // The order of focus is the order on the screen: above the text in a narrow place, else above the page beside it.
    const home = (this.isNarrow ? text : beside).element.parentElement;
    if (home && this.bar.parentElement !== home) home.prepend(this.bar);
    beside.element.parentElement?.classList.toggle("fk-is-open", this.current !== text.name);
  }
}
