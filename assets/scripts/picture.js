// A run as a moving picture: an SVG whose steps show one after another, for slides. Every text is written as text.
import { mixed } from "./legend.js";
import { fill, lessMotion, makeSvg, put, saveFile, show } from "./tools.js";

const WIDTH = 960, EDGE = 24, LINE = 66, HIGH = 34, STEP_S = 0.45, HELD = 6;         // px; seconds; steps that the last one stays
const FILE = "ssd2-run.svg", SAVED_MS = 4000;
const FONT = "'IBM Plex Sans', 'Segoe UI', system-ui, sans-serif";

// What stands on stage at a step: the last steps of the blocks before, and the step itself.
const blocksAt = (run, index) => [...Array(run.steps[index].b).keys()].map(b => run.lastStepOf(b)).concat(run.steps[index]);

function drawStep(run, index, rgb, pen, ink, quiet) {
  const group = makeSvg("g", { class: "s" });
  let x = EDGE, y = EDGE + 30, over = false;
  for (const step of blocksAt(run, index)) {
    if (over) break;
    for (let i = 0; i < step.t.length && !over; i++) {
      if (step.e.includes(i)) { over = true; break; }
      const text = show(step.t[i]), wide = pen.measureText(text).width + 12, gap = /^\s/.test(step.t[i]) ? 8 : 1;
      if (x + gap + wide > WIDTH - EDGE) { x = EDGE; y += LINE; }
      x += gap;
      const sure = step.c[i];
      group.append(makeSvg("rect", { x, y, width: wide, height: HIGH, rx: 5, fill: mixed(step.d[i], rgb), "fill-opacity": (0.06 + 0.4 * sure).toFixed(2) }),
        makeSvg("text", { x: x + 6, y: y + 24, fill: ink, "fill-opacity": (0.55 + 0.45 * sure).toFixed(2) }, text));
      if (step === run.steps[index] && step.i[i]) group.append(makeSvg("text", { x: x + 6, y: y - 5, fill: quiet, class: "i" }, show(step.i[i])));
      x += wide;
    }
  }
  return { group, bottom: y + HIGH };
}

// The SVG as text. rgb: the experts' hues as [r, g, b]; ink, quiet, paper: colours of the page.
export function drawRun(run, rgb, { ink, quiet, paper }, words) {
  const pen = document.querySelector("canvas").getContext("2d");
  pen.save();
  pen.font = `24px ${FONT}`;
  const drawn = run.steps.map((_, index) => drawStep(run, index, rgb, pen, ink, quiet));
  pen.restore();
  const slots = drawn.length + HELD, height = Math.max(...drawn.map(each => each.bottom)) + EDGE + 24;
  const svg = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role: "img" });
  const cycle = (name, last) => `@keyframes ${name}{0%{visibility:visible}${(100 * last / slots).toFixed(3)}%,100%{visibility:hidden}}`;
  svg.append(makeSvg("title", {}, words.title), makeSvg("style", {}, `text{font:24px ${FONT};white-space:pre}.i{font-size:13px}`
    + `.s{visibility:hidden;animation:step ${(slots * STEP_S).toFixed(2)}s steps(1) infinite}.s:last-of-type{animation-name:last}`
    + `${cycle("step", 1)}${cycle("last", HELD + 1)}@media ${lessMotion.media}{.s{animation:none}.s:last-of-type{visibility:visible}}`),
  makeSvg("rect", { width: WIDTH, height, fill: paper }));
  drawn.forEach(({ group }, n) => {
    group.setAttribute("style", `animation-delay:${(n * STEP_S).toFixed(2)}s`);
    svg.append(group);
  });
  svg.append(makeSvg("text", { x: EDGE, y: height - 12, fill: quiet, class: "i" }, run.head.experts.map(expert => expert.title).join(" + ")));
  return new XMLSerializer().serializeToString(svg);
}

// A button that gives the run on stage as a file.
export function makePicture(button, root, words, current) {
  put(button, words.label);
  button.addEventListener("click", () => {
    const { run, rgb } = current(), style = getComputedStyle(root), colour = name => style.getPropertyValue(name).trim();
    const paper = style.backgroundColor, ink = style.color;
    const text = drawRun(run, rgb, { ink, quiet: colour("--body-text-color-subdued"), paper }, words);
    saveFile(FILE, "image/svg+xml", text);
    put(button, fill(words.saved, { file: FILE }));
    setTimeout(() => put(button, words.label), SAVED_MS);
  });
  return { offer(finished) { button.hidden = !finished; } };
}
