// How fast the run under way goes on: asked of the server, which says what is so. Knows no steps.
import { offer } from "./tools.js";

export function makePace(select, words, send) {
  let run = null, now = null;                               // now: steps a second, null for as fast as it goes, 0 for paused

  offer(select, words.paces, words.pace);

  const chosen = () => select.value === "" ? null : Number(select.value);
  const ask = (per_second, steps = 0) => send({ action: "pace", run, per_second, steps });

  select.addEventListener("change", () => { if (now !== 0) ask(chosen()); });

  return {
    told(id, pace) { run = id; now = pace ?? null; },
    paused: () => now === 0,
    pause() { now = 0; ask(0); },
    goOn() { now = chosen(); ask(now); },
    step() { now = 0; ask(0, 1); },
  };
}
