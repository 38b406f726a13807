// One cell in words and bars: who wrote it, and the best tokens of all together and of each expert. Built once a run.
import { hueOf } from "./legend.js";
import { chance, fill, make, percent, put, shareText, show } from "./tools.js";

export function makeInspector(box, words) {
  const part = name => box.querySelector(name);
  const candidates = 3;
  let experts = [], columns = [], endText = null;

  function column(title, expert = null) {
    const made = make("div", expert ? "row" : "whole"), best = make("ol", "best"), lines = [];
    const parts = { made, lines, value: make("b", "value"), bar: make("i"), note: make("span", "note") };
    const track = make("span", "track");
    track.append(parts.bar);
    for (let n = 0; n < candidates; n++) {
      const line = { item: make("li"), token: make("span", "token"), bar: make("i"), value: make("span", "value") };
      const bed = make("span", "track");
      bed.append(line.bar); line.token.dir = "auto";
      line.item.append(line.token, bed, line.value); best.append(line.item); lines.push(line);
    }
    if (expert) made.style.setProperty("--hue", hueOf(expert));
    best.setAttribute("aria-label", fill(words.candidatesOf, { name: title }));
    made.append(make("span", "name", title), parts.value, track, parts.note, best);
    return parts;
  }

  function fillColumn(parts, found, value, note) {
    put(parts.value, shareText(value)); parts.bar.style.width = `${100 * value}%`;
    put(parts.note, note);
    parts.lines.forEach((line, n) => {
      line.item.hidden = !found?.[n];
      if (!found?.[n]) return;
      const [text, p] = found[n];
      put(line.token, text === endText ? words.end : show(text)); put(line.value, chance(p));
      line.bar.style.width = `${100 * p}%`;
    });
  }

  function label(step, i, token) {
    const shares = step.h[i], most = experts[shares.indexOf(Math.max(...shares))];
    const text = fill(words.cell, { token, percent: percent(step.c[i]), expert: most ? most.title : "" });
    return text + (step.p.includes(i) ? `, ${words.given}` : "");
  }

  part(".hint").textContent = words.hint;
  box.setAttribute("aria-label", words.inspector);
  return {
    reset(found) {
      experts = found; endText = null;
      columns = [column(words.together), ...experts.map(expert => column(expert.title, expert))];
      part(".bars").replaceChildren(...columns.map(parts => parts.made));
    },

    // ``cell`` as it is at ``step``; since: the step that set its token. Without a step there is only the hint.
    show(cell, step, since) {
      part(".hint").hidden = !!step; part(".found").hidden = !step; box.tabIndex = step ? 0 : -1;
      if (!step) return;
      const i = +cell.dataset.i, ended = step.e.includes(i);
      if (step.e.length) endText = step.t[step.e[0]];
      const best = k => step.k[k]?.[i], token = ended ? words.end : show(step.t[i]);
      put(part(".who .token"), token);
      const kept = step.p.includes(i), beyond = step.e.length > 0 && i > step.e[0], decided = !kept && !beyond;
      const shares = experts.map((expert, k) => `${expert.title} ${shareText(step.d[i][k])}`).join(", ");
      put(part(".sure"), kept ? words.kept : beyond ? words.beyond : experts.length > 1 ? fill(words.decided, { shares }) : "");
      put(part(".since"), since > 0 && decided ? fill(words.since, { step: since }) : "");
      put(part(".given"), kept ? words.given : "");
      part(".bars").hidden = !decided;
      const seen = step.i[i];
      put(part(".sees"), seen === undefined || !decided ? "" : seen === "" ? words.seesNothing : fill(words.sees, { token: show(seen), mass: chance(step.m[i]) }));
      const second = !best(0)?.length;                       // where no candidates came along there is still a second choice
      put(part(".rival"), second && decided ? `${words.rival}: ` : "");
      put(part(".second"), second && decided ? show(step.r[i]) || words.nothing : "");
      const spread = { entropy: step.n[i].toFixed(2), disagreement: (step.j[i] ?? 0).toFixed(2) };
      fillColumn(columns[0], best(0), step.c[i], fill(words.spread, spread));
      experts.forEach((_, k) => fillColumn(columns[k + 1], best(k + 1), step.h[i][k],
        fill(words.weight, { percent: percent(step.w[i][k]) })));
      cell.setAttribute("aria-label", label(step, i, cell.textContent.trim() || words.nothing));
    },
  };
}
