// A terminal's screen: xterm.js in the page's colours, as large as its place, with the way out by Shift+Escape.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { isDark } from "../lib/dom.js";

const colour = (el, name) => getComputedStyle(el).getPropertyValue(name).trim();
const themeOf = (root) => {
  const dark = isDark();
  return {
    background: colour(root, "--fk-ground") || (dark ? "#111" : "#fff"),
    foreground: colour(root, "--fk-text") || (dark ? "#eee" : "#111"),
    cursor: colour(root, "--fk-accent"),
    selectionBackground: dark ? "#3a5f8a" : "#b5d3f5",
  };
};

/** xterm measures itself, so it is opened once `place` has a size: `begun` is called then, once. `leave` is where focus goes. */
export function makeScreen(root, place, { label, readOnly = false, begun, leave }) {
  const term = new Terminal({
    fontSize: readOnly ? 12 : 13,
    fontFamily: colour(root, "--fk-code") || "monospace",
    minimumContrastRatio: 4.5,
    scrollback: 5000,
    cursorBlink: false,
    disableStdin: readOnly,
    cursorInactiveStyle: readOnly ? "none" : "outline",
    convertEol: readOnly,
    theme: themeOf(root),
  });
  const fit = new FitAddon();
  term.loadAddon(fit);
  term.attachCustomKeyEventHandler((event) => {
    // Nothing is typed into what is only read, so Tab goes on as everywhere.
    if (readOnly && event.key === "Tab") return false;
    if (event.type !== "keydown" || event.key !== "Escape" || !event.shiftKey) return true;
    leave();
    return false;
  });
  let open = false;
  const sizes = new ResizeObserver(() => {
    if (!place.clientWidth) return;
    if (open) {
      fit.fit();
      return;
    }
    open = true;
    term.open(place);
    term.textarea?.setAttribute("aria-label", label);
    fit.fit();
    begun();
  });
  sizes.observe(place);
  const themes = new MutationObserver(() => {
    term.options.theme = themeOf(root);
  });
  themes.observe(document.body, {
    attributes: true,
    attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind", "class"],
  });
  const { buffer } = term;
  return {
    term,
    /** For tests and screen readers alike: what is on the screen, as text. */
    text: () =>
      Array.from(
        { length: buffer.active.length },
        (_, row) => buffer.active.getLine(row)?.translateToString(true) ?? "",
      ).join("\n"),
    end: () => {
      sizes.disconnect();
      themes.disconnect();
      term.dispose();
    },
  };
}
