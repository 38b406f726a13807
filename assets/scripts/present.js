// The stage alone on the screen, in large words: for a lecture. The button, ?present=1, and Escape to leave.
import { put } from "./tools.js";

export function makePresent(button, root, words) {
  const here = () => document.body.classList.contains("presenting");

  function set(on) {
    document.body.classList.toggle("presenting", on);
    root.classList.toggle("presented", on);
    put(button, on ? words.leave : words.present);
    button.setAttribute("aria-pressed", String(on));
  }

  button.hidden = false;
  button.addEventListener("click", () => set(!here()));
  document.addEventListener("keydown", event => { if (event.key === "Escape" && here()) set(false); });
  set(new URLSearchParams(location.search).get("present") === "1");
}
