// Steps x positions as a canvas of one pixel a cell, enlarged by style. Knows steps and colours; painted at every step.
import { rgbOf } from "./legend.js";
import { chance, fill, make, makeButton, put, show, turnsIn } from "./tools.js";

const MAP_SHADES = 256;
const MOST_NATS = { n: 4, j: 0.7 };                        // where the scale ends: the most that two experts can disagree, ln 2, rounded up

export function makeMap(box, words, onGo) {
  const part = name => box.querySelector(name);
  const canvas = part("canvas"), pen = canvas.getContext("2d"), modes = part(".modes"), sheet = part(".sheet");
  let steps = [], experts = [], total = 1, painted = 0, mode = "j", most = 1, adaptive = false, sees = false, shades = [], marked = "";

  const expertOf = name => name[0] === "w" ? +name.slice(1) : -1;
  const titleOf = name => expertOf(name) < 0 ? words.maps[name] : fill(words.maps.w, { name: experts[expertOf(name)].title });
  const valueAt = (step, i) => expertOf(mode) < 0 ? step[mode][i] ?? 0 : step.w[i][expertOf(mode)];
  const said = value => mode in MOST_NATS ? fill(words.nats, { value: value.toFixed(2) }) : chance(value);

  // From faint to strong, so that lightness alone tells the value; a weight ends in the hue of its expert.
  function readShades() {
    const style = getComputedStyle(box), k = expertOf(mode);
    const names = k < 0 ? ["--map-0", "--map-1", "--map-2", "--map-3"] : ["--map-0", `--hue-${experts[k].hue}`];
    const stops = rgbOf(names.map(name => style.getPropertyValue(name).trim()));
    shades = Array.from({ length: MAP_SHADES }, (_, n) => {
      const at = n / (MAP_SHADES - 1) * (stops.length - 1), j = Math.min(stops.length - 2, Math.floor(at));
      return [0, 1, 2].map(c => stops[j][c] + (at - j) * (stops[j + 1][c] - stops[j][c]));
    });
    const ends = shades.filter((_, n) => n % 51 === 0).map(shade => `rgb(${shade.map(Math.round).join(" ")})`);
    part(".ramp").style.background = `linear-gradient(90deg, ${ends.join(", ")})`;
  }

  function paintColumn(x) {
    const step = steps[x], column = pen.createImageData(1, canvas.height);
    step.t.forEach((_, i) => {
      const shade = shades[Math.round((MAP_SHADES - 1) * Math.min(1, Math.max(0, valueAt(step, i) / most)))];
      column.data.set([shade[0], shade[1], shade[2], 255], 4 * i);
    });
    pen.putImageData(column, x, 0);
  }

  function paintAll() {
    canvas.width = total; canvas.height = steps.length ? steps[0].t.length : 1;
    most = MOST_NATS[mode] ?? 1; readShades();
    steps.forEach((_, x) => paintColumn(x));
    painted = steps.length;
    put(part(".ends.last"), String(canvas.height)); put(part(".low"), said(0)); put(part(".high"), (mode in MOST_NATS ? "\u2265 " : "") + said(most));
  }

  function button(name) {
    const made = makeButton("", titleOf(name));
    made.dataset.mode = name;
    return made;
  }

  function offer() {
    const names = ["j", "c", ...(sees ? ["m"] : []), "n", ...(adaptive ? experts.slice(1).map((_, k) => `w${k + 1}`) : [])];    // the core has the rest
    if (modes.children.length !== names.length) modes.replaceChildren(...names.map(button));
    [...modes.children].forEach(made => made.setAttribute("aria-pressed", String(made.dataset.mode === mode)));
    box.dataset.mode = mode;
  }

  // Lines where a block begins and where settings changed; made anew only when there is another one.
  function lines() {
    const edges = steps.flatMap((step, i) => i && step.b !== steps[i - 1].b ? [i] : []), turns = turnsIn(steps);
    const key = `${total}|${edges}|${turns}`;
    if (key === marked) return;
    marked = key;
    part(".marks").replaceChildren(...[["edge", edges], ["turn", turns]].flatMap(([name, found]) => found.map(i => {
      const line = make("i", name);
      line.style.left = `${100 * i / total}%`;
      if (name === "turn") { line.title = words.turn; line.dataset.step = i; }
      return line;
    })));
  }

  function choose(name) {
    mode = name;
    offer(); paintAll();
    if (box.dataset.cur) describe(+box.dataset.cur);
  }

  function describe(cur) {
    const step = steps[cur], cells = step.t.map((text, i) => `${step.e.includes(i) ? words.end : show(text)} ${said(valueAt(step, i))}`);
    canvas.setAttribute("aria-label", fill(words.mapLabel, { what: titleOf(mode), steps: steps.length, rows: canvas.height,
      step: cur + 1, cells: cells.join(", ") }));
  }

  function under(event) {
    const area = canvas.getBoundingClientRect(), inside = (at, from, size, n) => Math.min(n - 1, Math.max(0, Math.floor(n * (at - from) / size)));
    const x = inside(event.clientX, area.left, area.width, total), i = inside(event.clientY, area.top, area.height, canvas.height);
    return steps[x] ? { x, i, step: steps[x] } : null;
  }

  modes.addEventListener("click", event => { const made = event.target.closest("button"); if (made) choose(made.dataset.mode); });
  canvas.addEventListener("click", event => { const at = under(event); if (at) onGo(at.x, at.i); });
  canvas.addEventListener("pointermove", event => {
    const at = under(event);
    put(part(".reads"), at ? fill(words.mapReads, { step: at.x + 1, position: at.i + 1, what: titleOf(mode), value: said(valueAt(at.step, at.i)),
      token: at.step.e.includes(at.i) ? words.end : show(at.step.t[at.i]) }) : "");
  });
  canvas.addEventListener("pointerleave", () => put(part(".reads"), words.mapHint));
  put(part(".title"), words.mapTitle); put(part(".reads"), words.mapHint);
  modes.setAttribute("aria-label", words.mapModes);

  return {
    reset(found, steps_) {
      steps = []; experts = found; total = steps_; painted = 0; adaptive = sees = false; marked = "";
      if (expertOf(mode) >= 0) mode = "j";
      box.hidden = true; delete box.dataset.painted; delete box.dataset.cur;
      modes.replaceChildren(); part(".marks").replaceChildren(); part(".cursor").hidden = part(".spot").hidden = true;
    },

    grow(all, finished) {
      if (!all.length) return;
      const wide = finished ? all.length : Math.max(total, all.length), fresh = all.slice(painted);
      const first = !painted || wide !== total;
      steps = all; total = wide; box.hidden = false;
      adaptive = adaptive || fresh.some(step => step.w.some(w => Math.abs(w[0] - step.w[0][0]) > 1e-3));
      sees = sees || fresh.some(step => step.i.length);
      if (mode === "m" && !sees) mode = "j";
      offer();
      if (first) paintAll();
      while (painted < steps.length) paintColumn(painted++);
      lines();
      box.dataset.painted = painted;
    },

    // The step that is shown, and the cell that is held if it is in this step's block.
    mark(cur, row) {
      if (!steps[cur]) return;                            // steps that have come and are not painted yet
      const cursor = part(".cursor"), spot = part(".spot"), left = `${100 * cur / total}%`, width = `${100 / total}%`;
      cursor.hidden = false; Object.assign(cursor.style, { left, width });
      spot.hidden = row === null;
      if (row !== null) Object.assign(spot.style, { left, width, top: `${100 * row / canvas.height}%`, height: `${100 / canvas.height}%` });
      box.dataset.cur = cur;
      describe(cur);
    },
    restyle() { if (steps.length) paintAll(); },
  };
}
