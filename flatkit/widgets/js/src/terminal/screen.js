// @ts-check
// A terminal's screen: xterm.js in the page's colours, as large as its place. Shift+Escape leaves it.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";

/** Whether the page is dark: by JupyterLab's word, by VS Code's, or by the system's. */
function isDark() {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "false";
  if (vscodeThemeKind) return vscodeThemeKind.includes("dark");
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/**
 * @param {Element} el
 * @param {string} name
 */
const styleOf = (el, name) => getComputedStyle(el).getPropertyValue(name).trim();

/** @param {Element} root */
function themeOf(root) {
  const dark = isDark();
  return {
    background: styleOf(root, "--fk-ground") || (dark ? "#111" : "#fff"),
    foreground: styleOf(root, "--fk-text") || (dark ? "#eee" : "#111"),
    cursor: styleOf(root, "--fk-accent"),
    selectionBackground: dark ? "#3a5f8a" : "#b5d3f5",
  };
}

/**
 * @param {Element} root where the colours come from
 * @param {HTMLElement} place
 * @param {object} options
 * @param {string} options.label
 * @param {boolean} [options.readOnly]
 * @param {() => void} options.begun called once, when `place` has a size: xterm measures itself, so it opens then
 * @param {() => void} options.leave moves the focus out of the screen
 */
export function makeScreen(root, place, { label, readOnly = false, begun, leave }) {
  const term = new Terminal({
    fontSize: readOnly ? 12 : 13,
    fontFamily: styleOf(root, "--fk-code") || "monospace",
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
    // A read-only screen takes no keys, so Tab moves on as everywhere.
    if (readOnly && event.key === "Tab") return false;
    if (event.type !== "keydown" || event.key !== "Escape" || !event.shiftKey) return true;
    leave();
    return false;
  });
  let isOpen = false;
  const sizes = new ResizeObserver(() => {
    if (!place.clientWidth) return;
    if (isOpen) {
      fit.fit();
      return;
    }
    isOpen = true;
    term.open(place);
    term.textarea?.setAttribute("aria-label", label);
    fit.fit();
    begun();
  });
  sizes.observe(place);
  const themes = new MutationObserver(() => {
    term.options.theme = themeOf(root);
  });
  const attributeFilter = ["data-jp-theme-light", "data-vscode-theme-kind", "class"];
  themes.observe(document.body, { attributes: true, attributeFilter });

  /** The screen and its scrollback as text. */
  const text = () => {
    const { active } = term.buffer;
    const lines = Array.from({ length: active.length }, (_, row) => active.getLine(row)?.translateToString(true) ?? "");
    return lines.join("\n");
  };
  /** The rows in view, as text. */
  const view = () => {
    const { active } = term.buffer;
    const rows = Array.from({ length: term.rows }, (_, row) => active.getLine(active.viewportY + row));
    return rows
      .map((row) => row?.translateToString(true) ?? "")
      .join("\n")
      .trimEnd();
  };
  const end = () => {
    sizes.disconnect();
    themes.disconnect();
    term.dispose();
  };
  return { term, text, view, end };
}
