// The step on stage in words: what went in, what came out, where the experts differ most, what moved and what is settled.
import { answerLength, chance, fill, make, meanShares, percent, put, shareText, show } from "./tools.js";

const QUOTED = 60;                                          // characters of a text that a sentence quotes

const quote = texts => { const text = texts.join("").trim(); return text.length > QUOTED ? `${text.slice(0, QUOTED)}\u2026` : text; };

// The sentences for a step of a run with these experts.
export function explain(step, experts, words) {
  const length = answerLength(step), ends = step.e.length > 0, shown = ends ? length - 1 : length, said = [];
  const predicted = quote(step.t.slice(0, shown)), seen = quote(step.i.slice(0, shown));
  said.push(fill(words.step, { step: step.s, steps: step.T, noise: percent(1 - step.a) }));
  if (step.i.length) said.push(seen ? fill(words.sees, { seen }) : words.seesNothing);
  said.push(predicted ? fill(words.predicts, { predicted }) : words.predictsNothing);
  const differ = disputed(step, experts, length, words);
  if (differ) said.push(differ);
  const moved = step.x.filter(i => i < length).length, settled = step.z.filter(i => i < length).length;
  if (step.s > 1) said.push(fill(moved === 1 ? words.movedOne : moved ? words.moved : words.still, { count: moved }));
  if (step.i.length) said.push(fill(words.settled, { count: settled, all: length }));
  const shares = meanShares(step, "d", experts).map((share, k) => `${experts[k].title} ${shareText(share)}`).join(", ");
  if (experts.length > 1) said.push(fill(words.decided, { shares }));
  if (ends) said.push(words.ends);
  return said;
}

// Where the experts say most different things; nothing where they agree.
function disputed(step, experts, length, words) {
  if (experts.length < 2) return "";
  const at = [...Array(length).keys()].sort((a, b) => (step.j[b] ?? 0) - (step.j[a] ?? 0))[0];
  const best = experts.map((_, k) => step.k[k + 1]?.[at]?.[0]);
  if (at === undefined || best.some(each => !each)) return "";
  const lead = step.w[at].indexOf(Math.max(...step.w[at])), other = best.findIndex((each, k) => k !== lead && each[0] !== best[lead][0]);
  if (other < 0) return words.agree;
  return fill(words.disputed, { lead: experts[lead].title, word: show(best[lead][0]), sure: chance(best[lead][1]),
    other: experts[other].title, otherWord: show(best[other][0]), otherSure: chance(best[other][1]), weight: step.w[at][lead].toFixed(2) });
}

export function makeExplain(box, words) {
  put(box.querySelector("summary"), words.title);
  return {
    update(step, experts) {
      box.hidden = !step;
      if (!step || !box.open) return;
      const lines = explain(step, experts, words), list = box.querySelector("ul");
      while (list.children.length > lines.length) list.lastChild.remove();
      while (list.children.length < lines.length) list.append(make("li"));
      lines.forEach((line, n) => put(list.children[n], line));
    },
    opened(act) { box.addEventListener("toggle", act); },
  };
}
