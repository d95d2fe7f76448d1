// A widget on a stage: full screen in large type, by its button and by the key f.
import { h } from "./dom.js";
import { say } from "./keep.js";

/** The button and what it does; `turned(isOn)` is called when the stage is entered and left. `end` takes it off again. */
export function makeStage(root, turned) {
  const full = h(
    "button",
    { type: "button", class: "fk-button", title: "Large type, for a stage. Key: f" },
    "Full screen",
  );
  const isOn = () => document.fullscreenElement === root;
  const fill = () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen());
  const follow = () => {
    root.classList.toggle("fk-stage", isOn());
    say(full, isOn() ? "Leave full screen" : "Full screen");
    turned(isOn());
    if (isOn()) root.focus();
  };
  root.tabIndex = -1;
  full.onclick = fill;
  document.addEventListener("fullscreenchange", follow);
  return { full, fill, isOn, end: () => document.removeEventListener("fullscreenchange", follow) };
}
