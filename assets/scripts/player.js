// Plays steps that are already here: play, pause and speed. Asks nobody for anything.
import { lessMotion, make } from "./tools.js";

const STEP_MS = 110, STILL_STEP_MS = 400;

export function makePlayer(play, speed, words, advance) {
  let timer = 0;

  speed.replaceChildren(...words.speeds.map(([value, text]) => { const option = make("option", "", text); option.value = value; return option; }));
  speed.value = "1"; speed.setAttribute("aria-label", words.speed); speed.title = words.speed;

  function label(state) { play.dataset.state = state; play.setAttribute("aria-label", words[state]); play.title = words[state]; }
  function stop() { clearInterval(timer); timer = 0; label("play"); }
  function start() {
    clearInterval(timer);
    timer = setInterval(advance, (lessMotion.matches ? STILL_STEP_MS : STEP_MS) / Number(speed.value));
    label("pause");
  }

  speed.addEventListener("change", () => { if (timer) start(); });
  stop();
  return { start, stop, label, playing: () => timer !== 0 };
}
