// Plays steps that are already here: play, pause and speed. Asks nobody for anything.
import { lessMotion, name, offer } from "./tools.js";

const STEP_MS = 110, STILL_STEP_MS = 400;

export function makePlayer(play, speed, words, advance) {
  let timer = 0;

  offer(speed, words.speeds, words.speed);
  speed.value = "1";

  function label(state) { play.dataset.state = state; name(play, words[state]); }
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
