// Paints a run: cells, step, who decided. Reads messages of compact steps; writes text as text only.
const $ = selector => element.querySelector(selector);
const W = props.words, root = $(".theatre"), field = $(".field"), scrub = $(".scrub"), play = $(".play"), follow = $(".follow");
const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
const make = (tag, name, text) => { const e = document.createElement(tag); e.className = name; if (text !== undefined) e.textContent = text; return e; };
const percent = value => Math.round(100 * value);

let run = null, head = { experts: [], blocks: 1 }, steps = [], lastOf = new Map(), hues = [], rgb = [];
let cur = -1, following = true, finished = false, timer = 0, dirty = false, held = null, hovered = null, spokenAt = 0;
const blocks = [];
const chart = makeChart($(".chart"), props.chart, W, index => seek(index));

function readHues() {
  const style = getComputedStyle(root);
  hues = head.experts.map(expert => style.getPropertyValue(`--hue-${expert.hue}`).trim());
  rgb = hues.map(hue => [1, 3, 5].map(i => parseInt(hue.slice(i, i + 2), 16)));
}

function reset(message) {
  pause();
  run = message.run; head = message.head; steps = []; lastOf = new Map();
  cur = -1; following = true; finished = false; held = hovered = null;
  blocks.length = 0; field.replaceChildren();
  readHues();
  chart.reset(head.blocks * (head.steps || 1));
  $(".legend").replaceChildren(...head.experts.map(expert => {
    const item = make("li", "");
    const swatch = make("i", "swatch");
    swatch.style.background = `var(--hue-${expert.hue})`;
    item.append(swatch, make("span", "", expert.title), make("b", "", ""));
    return item;
  }));
  $(".asked").textContent = head.prompt || "";
  root.dataset.run = run; delete root.dataset.done; root.dataset.steps = 0;
}

// d: each cell's shares at the step that set its token. Later steps see that token, so all experts come to agree with it.
function push(step) {
  const before = steps.at(-1);
  step.d = before && before.b === step.b ? step.h.map((shares, i) => step.x.includes(i) ? shares : before.d[i]) : step.h;
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
  $(".wait").textContent = message.note || "";
  $(".figures").textContent = message.line || "";
  reading(message.read);
  scrub.max = Math.max(0, steps.length - 1);
  scrub.disabled = play.disabled = steps.length < 2;
  if (following) cur = steps.length - 1;
  if (head.stored && !timer) { cur = calm ? steps.length - 1 : 0; if (!calm) start(); }
  if (finished) root.dataset.done = run;
  ask();
}

// What each expert was given to read, and which passages of the documents it has; text of visitors, so written as text.
function reading(read) {
  const box = $(".reading");
  box.hidden = !read;
  if (!read || box.dataset.run === run) return;
  box.dataset.run = run;
  const tokens = head.experts.map((expert, k) => fill(W.readingTokens, { name: expert.title, count: read.tokens[k] })).join(", ");
  const passages = read.used.length + read.left.length ? `; ${fill(W.passages, { used: read.used.length, left: read.left.length })}` : "";
  box.querySelector("summary").textContent = fill(W.reading, { tokens }) + passages;
  box.querySelector("ul").replaceChildren(...["used", "left"].flatMap(kind => read[kind].map(text => {
    const item = make("li", kind);
    item.append(make("b", "", W[kind]), make("span", "", text));
    return item;
  })));
}

function clearAll() {
  reset({ run: null, head: { experts: [], blocks: 1 } });
  $(".figures").textContent = $(".wait").textContent = "";
  reading(null);
  scrub.disabled = play.disabled = true;
  root.dataset.run = ""; showEmpty();
}

function showEmpty() {
  $(".mode").dataset.mode = "empty"; $(".mode").textContent = ""; $(".where").textContent = "";
  $(".progress").replaceChildren(); $(".noise").hidden = true;
  field.replaceChildren(make("p", "empty", W.empty));
}

function ask() { if (!dirty) { dirty = true; requestAnimationFrame(paint); } }

function blockAt(b, length) {
  while (blocks.length <= b) {
    const box = make("span", "block");
    box.setAttribute("role", "list");
    box.setAttribute("aria-label", fill(W.blockLabel, { block: blocks.length + 1 }));
    field.append(box); blocks.push({ box, cells: [] });
  }
  const block = blocks[b];
  while (block.cells.length < length) {
    const cell = make("span", "cell");
    cell.setAttribute("role", "listitem"); cell.tabIndex = -1; cell.dir = "auto";
    cell.dataset.b = b; cell.dataset.i = block.cells.length;
    block.box.append(cell); block.cells.push(cell);
  }
  return block;
}

// A token that begins with a space begins a word: the space is drawn as a gap before its cell.
function show(text) {
  const bare = text.startsWith(" ") && text.trim() ? text.slice(1) : text;
  return bare === "" ? "\u00b7" : bare.replace(/\n/g, "\u21b5").replace(/\t/g, "\u21e5").replace(/^ +$/, "\u2423");
}

// Squared shares for the hue, so that two experts mix to grey only where they really agree to share; the bar is exact.
function tint(shares) {
  const sum = shares.reduce((a, b) => a + b, 0) || 1;
  const pull = shares.map(s => s * s), pulls = pull.reduce((a, b) => a + b, 0) || 1;
  const mixed = [0, 1, 2].map(k => Math.round(pull.reduce((a, s, j) => a + s * rgb[j][k], 0) / pulls));
  let from = 0;
  const stops = shares.map((s, j) => { const to = from + 100 * s / sum, stop = `${hues[j]} ${from.toFixed(1)}% ${to.toFixed(1)}%`; from = to; return stop; });
  return [`rgb(${mixed.join(" ")})`, `linear-gradient(90deg, ${stops.join(", ")})`];
}

function paintBlock(b, step, isCurrent) {
  const block = blockAt(b, step.t.length), end = step.e.length ? step.e[0] : Infinity;
  block.box.hidden = false;
  step.t.forEach((text, i) => {
    const cell = block.cells[i], isEnd = step.e.includes(i), changed = isCurrent && step.x.includes(i);
    const key = `${text}|${step.c[i]}|${step.d[i]}|${isEnd}|${i > end}|${changed}|${hues}`;
    if (cell.painted === key) return;
    cell.painted = key;
    cell.textContent = !isEnd ? show(text) : i === end ? W.end : "\u00b7";
    cell.classList.toggle("inside", !isEnd && !/^\s/.test(text));
    const [mixed, split] = tint(step.d[i]);
    cell.style.setProperty("--mix", mixed);
    cell.style.setProperty("--split", split);
    cell.style.setProperty("--sure", step.c[i]);
    cell.classList.toggle("ends", isEnd); cell.classList.toggle("after", i > end); cell.classList.toggle("changed", changed);
  });
}

function paint() {
  dirty = false;
  const step = steps[cur];
  if (!step) { if (run !== null) waiting(); return; }
  field.querySelector(".empty")?.remove();
  blocks.forEach((block, b) => { if (b > step.b) block.box.hidden = true; });
  for (let b = 0; b < step.b; b++) if (lastOf.has(b)) paintBlock(b, steps[lastOf.get(b)], false);
  paintBlock(step.b, step, true);
  if (!field.querySelector('.cell[tabindex="0"]')) blocks[0].cells[0].tabIndex = 0;
  const noise = percent(1 - step.a);
  $(".where").textContent = (head.blocks > 1 ? fill(finished ? W.block : W.blockLive, { block: step.b + 1, blocks: head.blocks }) + ", " : "") + fill(W.step, { step: step.s, steps: step.T, noise });
  $(".noise").hidden = false; $(".noise i").style.width = `${noise}%`;
  const mode = head.stored ? "stored" : finished ? "finished" : "live";
  $(".mode").dataset.mode = mode; $(".mode").textContent = W[mode];
  progress(step);
  scrub.value = cur; scrub.setAttribute("aria-valuetext", fill(W.step, { step: step.s, steps: step.T, noise }));
  follow.hidden = finished || following;
  const means = meanShares(step, "d", head.experts);
  $(".legend").querySelectorAll("b").forEach((b, k) => { b.textContent = `${percent(means[k])}\u202f%`; });
  inspect();
  chart.update(steps, head.experts, hues, finished); chart.mark(cur);
  root.dataset.cur = cur;
  speak(step);
}

function waiting() {
  $(".mode").dataset.mode = "live"; $(".mode").textContent = W.live; $(".where").textContent = "";
  if (!field.children.length) field.append(make("p", "empty", W.empty));
}

function progress(step) {
  const bar = $(".progress"), rested = finished && lastOf.get(step.b) === cur;      // a block may end before its last step
  while (bar.children.length < head.blocks) { const part = make("span", ""); part.append(make("i", "")); bar.append(part); }
  while (bar.children.length > head.blocks) bar.lastChild.remove();
  [...bar.children].forEach((part, b) => { part.firstChild.style.width = b < step.b ? "100%" : b > step.b ? "0" : `${rested ? 100 : 100 * step.s / step.T}%`; });
}

function speak(step) {
  const now = performance.now(), last = finished && cur === steps.length - 1;
  if (timer || (!last && now - spokenAt < 3000)) return;
  const text = last ? (head.stored ? W.announceStory : W.announceDone) : fill(W.announceStep, { step: step.s, steps: step.T });
  if ($(".spoken").textContent !== text) { spokenAt = now; $(".spoken").textContent = text; }
}

function inspect() {
  const cell = hovered || held, found = $(".found");
  const b = cell ? +cell.dataset.b : -1, step = cell && b <= steps[cur].b ? (b === steps[cur].b ? steps[cur] : steps[lastOf.get(b)]) : null;
  $(".hint").hidden = !!step; found.hidden = !step;
  field.querySelectorAll(".held").forEach(e => e.classList.toggle("held", e === held));
  if (!step) return;
  const i = +cell.dataset.i, ended = step.e.includes(i), shares = step.d[i];
  const who = $(".who"), sure = percent(step.c[i]);
  who.replaceChildren(make("b", "token", ended ? W.end : show(step.t[i])), make("span", "", fill(W.sure, { percent: sure })),
    make("span", "rival", `${W.rival}: `), make("b", "token second", show(step.r[i]) || W.nothing));
  const bars = $(".bars");
  bars.replaceChildren(...head.experts.map((expert, k) => {
    const row = make("div", "row"), track = make("span", "track"), bar = make("i", "");
    bar.style.width = `${100 * shares[k]}%`; bar.style.background = `var(--hue-${expert.hue})`; track.append(bar);
    row.append(make("span", "name", expert.title), track, make("span", "value", `${percent(shares[k])}\u202f%`));
    return row;
  }));
  const most = head.experts[shares.indexOf(Math.max(...shares))];
  cell.setAttribute("aria-label", fill(W.cell, { token: cell.textContent.trim() || W.nothing, percent: sure, expert: most ? most.title : "" }));
}

function hold(cell) { held = cell; if (held) held.classList.add("held"); inspect(); }
function seek(index) { pause(); cur = Math.max(0, Math.min(steps.length - 1, index)); following = !finished && cur === steps.length - 1; ask(); }
function pause() { clearInterval(timer); timer = 0; play.dataset.state = "play"; play.setAttribute("aria-label", W.play); play.title = W.play; }
function start() {
  if (cur >= steps.length - 1) cur = 0;
  following = false;
  play.dataset.state = "pause"; play.setAttribute("aria-label", W.pause); play.title = W.pause;
  timer = setInterval(() => { if (cur >= steps.length - 1) { if (finished) pause(); else seek(cur); ask(); return; } cur += 1; ask(); }, calm ? 400 : 110);
}

function move(cell, key) {
  const all = [...field.querySelectorAll(".block:not([hidden]) .cell")], at = all.indexOf(cell);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[key];
  if (to === undefined || !all[to]) return false;
  cell.tabIndex = -1; all[to].tabIndex = 0; all[to].focus();
  return true;
}

field.addEventListener("pointerover", e => { hovered = e.target.closest(".cell"); if (steps[cur]) inspect(); });
field.addEventListener("pointerleave", () => { hovered = null; if (steps[cur]) inspect(); });
field.addEventListener("focusin", e => { const cell = e.target.closest(".cell"); if (cell && steps[cur]) hold(cell); });
field.addEventListener("click", e => { const cell = e.target.closest(".cell"); if (cell && steps[cur]) hold(cell); });
field.addEventListener("keydown", e => {
  const cell = e.target.closest(".cell");
  if (cell && move(cell, e.key)) e.preventDefault();
  else if (e.key === "Escape") hold(null);
});
scrub.addEventListener("input", () => seek(+scrub.value));
play.addEventListener("click", () => { if (timer) seek(cur); else start(); });
follow.addEventListener("click", () => { pause(); following = true; cur = steps.length - 1; ask(); });
new MutationObserver(() => { readHues(); chart.restyle(); if (steps.length) ask(); })
  .observe(document.body, { attributes: true, attributeFilter: ["class"] });

$(".hint").textContent = W.hint; $("figcaption").textContent = W.chartTitle;
scrub.setAttribute("aria-label", W.scrub); follow.textContent = W.follow;
$(".key").replaceChildren(...W.key.map(([name, text]) => { const item = make("li", name); item.append(make("i", ""), make("span", "", text)); return item; }));
pause(); showEmpty();
let chain = Promise.resolve();
const enqueue = () => { const value = props.value; chain = chain.then(() => apply(value)).catch(console.error); };
watch("value", enqueue); enqueue();
