// The words around the cells: mode, step, noise, how far each block is, what was read, legend, and what is said aloud.
import { hueOf, legendItem } from "./legend.js";
import { fill, make, meanShares, percent, put, shareText } from "./tools.js";

const SPEAK_EVERY_MS = 3000;

export function makeStatusBar(root, words) {
  const part = name => root.querySelector(name);
  let spokenAt = 0;

  part(".key").replaceChildren(...words.key.map(([name, text]) => {
    const item = make("li", name);
    item.append(make("i"), make("span", "", text));
    return item;
  }));

  function progress(step, total, rested) {
    const bar = part(".progress");
    while (bar.children.length < total) { const made = make("span"); made.append(make("i")); bar.append(made); }
    while (bar.children.length > total) bar.lastChild.remove();
    [...bar.children].forEach((made, b) => { made.firstChild.style.width = b < step.b ? "100%" : b > step.b ? "0" : `${rested ? 100 : 100 * step.s / step.T}%`; });
  }

  function setMode(mode, text) { part(".mode").dataset.mode = mode; put(part(".mode"), text); }

  function noStep(mode, text, where) {
    setMode(mode, text); put(part(".where"), where);
    part(".progress").replaceChildren(); part(".noise").hidden = true;
  }

  return {
    reset(head) {
      head.experts.slice(0, 2).forEach((expert, k) => root.style.setProperty(`--key-${k}`, hueOf(expert)));
      part(".legend").replaceChildren(...head.experts.map(expert => legendItem(expert, make("b"))));
      part(".legend").dataset.what = words.decidedBy; part(".legend").setAttribute("aria-label", words.decidedBy);
      put(part(".asked"), head.prompt || head.question || ""); part(".asked").classList.toggle("own", !head.prompt);
    },
    empty() { noStep("empty", "", ""); },
    waiting() { noStep("live", words.live, words.preparing); },

    // The step that is shown. -> the same in words
    paint(step, head, finished, rested, paused, ended) {
      const noise = percent(1 - step.a), at = fill(rested ? words.rested : words.step, { step: step.s, steps: step.T, noise });
      const block = head.blocks > 1 ? fill(finished ? words.block : words.blockLive, { block: step.b + 1, blocks: head.blocks }) + ", " : "";
      put(part(".where"), block + at);
      part(".noise").hidden = false; part(".noise i").style.width = `${noise}%`;
      const mode = head.stored ? "stored" : ended in words.endings ? ended : finished ? "finished" : paused ? "paused" : "live";
      setMode(mode, words.endings[mode] ?? words[mode]);
      progress(step, head.blocks, rested);
      const means = meanShares(step, "d", head.experts);
      part(".legend").querySelectorAll("b").forEach((b, k) => put(b, shareText(means[k])));
      return at;
    },

    speak(step, last, stored) {
      const now = performance.now();
      if (!last && now - spokenAt < SPEAK_EVERY_MS) return;
      const text = last ? (stored ? words.announceStory : words.announceDone) : fill(words.announceStep, { step: step.s, steps: step.T });
      if (part(".spoken").textContent !== text) { spokenAt = now; put(part(".spoken"), text); }
    },

    // What each expert was given to read, and which passages of the documents it has; text of visitors, so written as text.
    reading(read, run, experts) {
      const box = part(".reading");
      box.hidden = !read;
      if (!read || box.dataset.run === run) return;
      box.dataset.run = run;
      const tokens = experts.map((expert, k) => fill(words.readingTokens, { name: expert.title, count: read.tokens[k] })).join(", ");
      const passages = read.used.length + read.left.length ? `; ${fill(words.passages, { used: read.used.length, left: read.left.length })}` : "";
      put(box.querySelector("summary"), fill(words.reading, { tokens }) + passages);
      box.querySelector("ul").replaceChildren(...["used", "left"].flatMap(kind => read[kind].map(text => {
        const item = make("li", kind);
        item.append(make("b", "", words[kind]), make("span", "", text));
        return item;
      })));
    },
  };
}
