// Changing a page in place: what stays is not touched, so that focus, selection and scroll stay as well.

/** Bring the children of `el` to `wanted` (a list of [key, make, update]). */
export function keep(el, wanted) {
  const old = new Map([...el.children].map((child) => [child.dataset.key, child]));
  wanted.forEach(([key, make, update], place) => {
    const child = old.get(key) ?? make();
    child.dataset.key = key;
    old.delete(key);
    if (el.children[place] !== child) el.insertBefore(child, el.children[place] ?? null);
    update(child);
  });
  for (const child of old.values()) child.remove();
}

/** Give an element this text, if it has another one. */
export const say = (el, text) => {
  if (el.textContent !== text) el.textContent = text;
};

/** Whether a button may be pressed now. It is not `disabled`: that would take the focus away from who has just pressed it. */
export const allow = (button, may) => button.setAttribute("aria-disabled", String(!may));
export const isAllowed = (button) => button.getAttribute("aria-disabled") !== "true";
