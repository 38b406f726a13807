// The viewer put together: takes messages of compact steps, keeps the current run, and lets the parts paint it.
const root = element.querySelector(".viewer"), $ = selector => root.querySelector(selector), W = props.words;
const field = $(".field"), scrub = $(".scrub"), play = $(".play"), follow = $(".follow"), inspectorBox = $(".inspector");
const still = window.matchMedia("(prefers-reduced-motion: reduce)"), STILL_FRAME_MS = 250;

let run = null, head = { experts: [], blocks: 1 }, steps = [], lastOf = new Map(), hues = [];
let cur = -1, following = true, finished = false, dirty = false, paintedAt = 0, held = null, hovered = null;

const absent = { reset() {}, grow() {}, update() {}, finish() {}, mark() {}, restyle() {} };
const hasPlots = !props.compact && !!props.chart?.src;
root.classList.toggle("compact", !!props.compact);
$(".chart").hidden = !hasPlots;
const cells = makeField(field, W), inspector = makeInspector(inspectorBox, W), statusBar = makeStatusBar(root, W);
const map = props.compact ? absent : makeMap($(".map"), W, goTo);
const chart = hasPlots ? makeChart($(".chart"), props.chart, W, seek) : absent;
const atlas = hasPlots ? makeAtlas($(".atlas"), props.chart, W) : absent;
const steers = !props.compact && typeof trigger === "function";
const steer = steers ? makeSteer($(".steer"), W.steering, wish => trigger("steer", wish)) : { only() {}, extend() {}, grow() {}, update() {} };
const player = makePlayer(play, $(".speed"), W, still, advance);

function readHues() {
  const style = getComputedStyle(root);
  hues = head.experts.map(expert => style.getPropertyValue(`--hue-${expert.hue}`).trim());
  cells.colour(hues);
}

function reset(message) {
  player.stop();
  run = message.run; head = message.head; steps = []; lastOf = new Map();
  cur = -1; following = true; finished = false; held = hovered = null;
  readHues();
  const total = head.blocks * (head.steps || 1);
  steer.only(null); steer.update({ run: null });
  cells.clear(); inspector.reset(head.experts); inspector.show(null, null);
  statusBar.reset(head); map.reset(head.experts, total); chart.reset(total); atlas.reset();
  root.dataset.run = run; delete root.dataset.done; root.dataset.steps = 0;
}

// d: each cell's shares at the step that set its token, f: that step. Later steps see the token, so all experts come to agree.
function push(step) {
  const before = steps.at(-1), goesOn = before && before.b === step.b;
  const kept = (now, then) => now.map((value, i) => goesOn && !step.x.includes(i) ? then[i] : value);
  step.d = kept(step.h, before?.d); step.f = kept(step.t.map(() => step.s), before?.f);
  lastOf.set(step.b, steps.length); steps.push(step);
}

async function apply(text) {
  if (!text) { if (run === null) showEmpty(); else if (!head.stored) clearAll(); return; }
  const message = JSON.parse(text);
  if (message.run !== run) reset(message);
  if (message.from > steps.length) (await server.missed_steps({ run, since: steps.length }) || []).forEach(push);
  if (message.from <= steps.length) message.steps.forEach((step, j) => { if (message.from + j >= steps.length) push(step); });
  finished = message.done || finished;
  if (finished && steps.length) head.blocks = steps.at(-1).b + 1;
  root.dataset.steps = steps.length;
  put($(".wait"), message.note || "");
  put($(".figures"), message.line || "");
  statusBar.reading(message.read, run, head.experts);
  scrub.max = Math.max(0, steps.length - 1);
  scrub.disabled = play.disabled = steps.length < 2;
  if (following) cur = steps.length - 1;
  if (head.stored && !player.playing()) { cur = still.matches ? steps.length - 1 : 0; if (!still.matches) start(); }
  if (finished) { root.dataset.done = run; if (steps.length) atlas.finish(steps, head.experts, hues); }
  ask();
}

function clearAll() {
  reset({ run: null, head: { experts: [], blocks: 1 } });
  put($(".figures"), ""); put($(".wait"), "");
  statusBar.reading(null);
  scrub.disabled = play.disabled = true;
  root.dataset.run = ""; showEmpty();
}

function showEmpty() { statusBar.empty(); field.replaceChildren(make("p", "empty", W.empty)); }

// One painting a frame whatever comes; a few a second while live for whoever wants no motion.
function ask() {
  if (dirty) return;
  dirty = true;
  const wait = still.matches && !finished ? paintedAt + STILL_FRAME_MS - performance.now() : 0;
  if (wait > 0) setTimeout(() => requestAnimationFrame(paint), wait); else requestAnimationFrame(paint);
}

function paint() {
  dirty = false; paintedAt = performance.now();
  const step = steps[cur];
  if (!step) { if (run !== null) waiting(); return; }
  const rested = finished && lastOf.get(step.b) === cur;                            // a block may end before its last step
  field.querySelector(".empty")?.remove();
  cells.paint(step, b => steps[lastOf.get(b)], head.blocks, rested, !finished);
  const at = statusBar.paint(step, head, finished, rested);
  scrub.value = cur; scrub.setAttribute("aria-valuetext", at);
  follow.hidden = finished || following;
  map.grow(steps, finished);
  steer.update({ run, stored: !!head.stored, finished, index: cur, step: cur + 1 });
  inspect();
  chart.update(steps, head.experts, hues, finished); chart.mark(cur);
  root.dataset.cur = cur;
  if (!player.playing()) statusBar.speak(step, finished && cur === steps.length - 1, head.stored);
}

function waiting() {
  statusBar.waiting();
  if (!field.children.length) field.append(make("p", "empty", W.empty));
}

// A cell as it is at the step that is shown; null when its block is still to come.
function stepOf(cell) {
  const b = cell ? +cell.dataset.b : -1;
  if (b < 0 || b > steps[cur].b) return null;
  return b === steps[cur].b ? steps[cur] : steps[lastOf.get(b)];
}

function inspect() {
  const cell = hovered || held, step = stepOf(cell), i = step ? +cell.dataset.i : null;
  inspector.show(cell, step, step ? step.f[i] : 0);
  map.mark(cur, step && step.b === steps[cur].b ? i : null);
}

function hold(cell) {
  if (held) held.classList.remove("held");
  held = cell;
  if (held) { held.classList.add("held"); cells.stopAt(held); }
  steer.only(held);
  inspect();
}

function seek(index) {
  player.stop();
  cur = Math.max(0, Math.min(steps.length - 1, index));
  following = !finished && cur === steps.length - 1;
  ask();
}

function goTo(index, i) {
  seek(index); paint();
  hovered = null;
  cells.cell(steps[cur].b, i)?.focus();
}

function advance() {
  if (cur >= steps.length - 1) { if (finished) player.stop(); else seek(cur); } else cur += 1;
  ask();
}

function start() {
  if (cur >= steps.length - 1) cur = 0;
  following = false;
  player.start();
  ask();
}

function move(cell, key) {
  const all = cells.shown(), at = all.indexOf(cell);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[key];
  if (to === undefined || !all[to]) return false;
  all[to].focus();
  return true;
}

const cellOf = event => steps[cur] ? event.target.closest(".cell") : null;
field.addEventListener("pointerover", e => { hovered = cellOf(e); if (steps[cur]) inspect(); });
field.addEventListener("pointerleave", () => { hovered = null; if (steps[cur]) inspect(); });
field.addEventListener("mousedown", e => { if (e.shiftKey && held) e.preventDefault(); });           // a span begins where the focus is
for (const kind of ["focusin", "click"]) field.addEventListener(kind, e => {
  const cell = cellOf(e);
  if (cell && e.shiftKey && held) steer.extend(cell, cells.shown());
  else if (cell && cell !== held) hold(cell);
});
field.addEventListener("keydown", e => {
  const cell = cellOf(e);
  if (!cell) return;
  if (e.shiftKey && e.key.startsWith("Arrow")) { e.preventDefault(); steer.grow(e.key === "ArrowLeft" ? -1 : 1, cells.shown()); }
  else if (move(cell, e.key)) e.preventDefault();
  else if (e.key === "Enter") inspectorBox.focus();
  else if (e.key === "Escape") hold(null);
});
inspectorBox.addEventListener("keydown", e => { if (e.key === "Escape" && held) held.focus(); });
scrub.addEventListener("input", () => seek(+scrub.value));
play.addEventListener("click", () => { if (player.playing()) seek(cur); else start(); });
follow.addEventListener("click", () => { player.stop(); following = true; cur = steps.length - 1; ask(); });
new MutationObserver(() => {
  readHues(); map.restyle(); chart.restyle();
  if (steps.length) { ask(); if (finished) atlas.finish(steps, head.experts, hues); }
}).observe(document.body, { attributes: true, attributeFilter: ["class"] });

if (hasPlots) put($(".chart figcaption"), W.chartTitle);
scrub.setAttribute("aria-label", W.scrub); put(follow, W.follow);
inspector.show(null, null); showEmpty();
let chain = Promise.resolve();
const enqueue = () => { const value = props.value; chain = chain.then(() => apply(value)).catch(console.error); };
watch("value", enqueue); enqueue();
