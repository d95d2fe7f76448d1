// What the widgets put on the page's own objects.
interface HTMLElement {
  /** A terminal's screen as text: for tests, which cannot read a canvas. */
  flatkitText?: () => string;
}
