// @ts-check
// A widget on a stage: full screen in large type, by its button and by the key f.
import { makeButton } from "./card.js";
import { say } from "./dom.js";

/**
 * Make the button. `turned(isOn)` is called when the stage is entered and left; `end` stops following.
 * @param {HTMLElement} root
 * @param {(isOn: boolean) => void} turned
 */
export function makeStage(root, turned) {
  const isOn = () => document.fullscreenElement === root;
  const fill = () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen());
  const full = makeButton("Full screen", fill, { title: "Large type, for a stage. Key: f" });
  const turn = () => {
    root.classList.toggle("fk-stage", isOn());
    say(full, isOn() ? "Leave full screen" : "Full screen");
    turned(isOn());
    if (isOn()) root.focus();
  };
  root.tabIndex = -1;
  document.addEventListener("fullscreenchange", turn);
  return { full, fill, isOn, end: () => document.removeEventListener("fullscreenchange", turn) };
}
