// Small helpers that the widgets share: elements, and what to say when the kernel behind a widget is gone.

/** An element: `h("button", { class: "x", onclick }, "text", child)`. Attributes that are null or false are left out. */
export function h(tag, attributes = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (value === true) el.setAttribute(name, "");
    else if (value !== null && value !== false && value !== undefined) el.setAttribute(name, value);
  }
  el.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return el;
}

let counter = 0;
/** A name that no other element on the page has. */
export const freshId = (stem) => `fk-${stem}-${(counter += 1)}-${Math.random().toString(36).slice(2, 8)}`;

/**
 * Whether the kernel behind a model is there: `isAlive`, and `changed()` is called when that changes. What anywidget hands
 * out is not the model itself and does not know, so the widget manager is asked, by the trait `ident` (bundle.py).
 */
export function lifeOf(model, changed) {
  const life = { isAlive: true };
  model.on("comm_live_update", async () => {
    try {
      life.isAlive = (await model.widget_manager.get_model(model.get("ident"))).comm_live !== false;
    } catch {
      life.isAlive = false; // the manager has forgotten it
    }
    changed();
  });
  return life;
}

/**
 * The widget's root: JupyterLab keeps its shortcuts away from it, and its styles apply below `.fk-widget` alone.
 * While the kernel is gone, a line at its top says so and what to do.
 */
export function makeRoot(el, model, name) {
  const gone = h(
    "div",
    { class: "fk-gone", role: "status", "aria-live": "assertive", hidden: true },
    "⚠ The kernel has restarted, so nothing here can answer. Run this cell again to go on.",
  );
  const root = h("section", { class: `fk-widget fk-${name}`, "data-lm-suppress-shortcuts": "true" }, gone);
  el.append(root);
  const life = lifeOf(model, () => {
    gone.hidden = life.isAlive;
    root.classList.toggle("fk-is-gone", !life.isAlive);
  });
  return root;
}

/** Whether the page is dark: by JupyterLab's word, by VS Code's, or by the system's. */
export function isDark() {
  const { body } = document;
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false";
  if (body.dataset.vscodeThemeKind) return body.dataset.vscodeThemeKind.includes("dark");
  return matchMedia("(prefers-color-scheme: dark)").matches;
}
