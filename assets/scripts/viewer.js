// The viewer put together: takes messages of compact steps, keeps the current run, and lets the parts paint it.
import { makeAtlas } from "./atlas.js";
import { makeCells } from "./cells.js";
import { makeChart } from "./chart.js";
import { makeExplain } from "./explain.js";
import { makeInspector } from "./inspector.js";
import { readHues, rgbOf } from "./legend.js";
import { makeLayers } from "./layers.js";
import { makeMap } from "./map.js";
import { makePace } from "./pace.js";
import { makePicture } from "./picture.js";
import { makePlayer } from "./player.js";
import { makePresent } from "./present.js";
import { Run } from "./run.js";
import { makeStatusBar } from "./status_bar.js";
import { makeSteer } from "./steer.js";
import { lessMotion, make, name, put, scrollTo } from "./tools.js";

const FRAME_MS = 250;                                     // between two paintings, where less motion is wanted
const NARROW = window.matchMedia("(max-width: 860px)");
const NOTHING = () => {};
const ABSENT = { reset: NOTHING, grow: NOTHING, update: NOTHING, finish: NOTHING, mark: NOTHING, restyle: NOTHING, only: NOTHING, extend: NOTHING };

// trigger: asks the server for what steers; without it there is nothing that steers.
export function start({ element, props, onValue, server, trigger }) {
  const viewer = new Viewer(element.querySelector(".viewer"), props, server, trigger);
  let chain = Promise.resolve();
  onValue(value => { chain = chain.then(() => viewer.apply(value)).catch(console.error); });
}

class Viewer {
  constructor(root, props, server, trigger) {
    Object.assign(this, { root, server, words: props.words, run: new Run(), hues: [], cur: -1, following: true, dirty: false,
      paintedAt: 0, held: null, hovered: null });
    const part = this.part = selector => root.querySelector(selector), whole = !props.compact, plots = whole && !!props.chart?.src;
    root.classList.toggle("compact", !whole);
    part(".chart").hidden = !plots;
    this.field = part(".field"); this.scrub = part(".scrub"); this.play = part(".play"); this.follow = part(".follow");
    this.cells = makeCells(this.field, this.words);
    this.inspector = makeInspector(part(".inspector"), this.words);
    this.statusBar = makeStatusBar(root, this.words);
    this.map = whole ? makeMap(part(".map"), this.words, (index, i) => this.goTo(index, i)) : ABSENT;
    this.chart = plots ? makeChart(part(".chart"), props.chart, this.words, index => this.seek(index)) : ABSENT;
    this.atlas = plots ? makeAtlas(part(".atlas"), props.chart, this.words) : ABSENT;
    this.steer = whole && trigger ? makeSteer(part(".steer"), this.words.steering, cell => this.cells.word(cell), wish => trigger("steer", wish)) : ABSENT;
    this.pace = whole && trigger ? makePace(part(".pace"), this.words, wish => trigger("pace", wish)) : null;
    part(".pace").hidden = !this.pace;
    this.layers = makeLayers(part(".layers"), root, this.words);
    this.back = part(".back"); this.onward = part(".onward");
    name(this.back, this.words.back); name(this.onward, this.words.onward);
    this.player = makePlayer(this.play, part(".speed"), this.words, () => this.advance());
    if (plots) put(part(".chart figcaption"), this.words.chartTitle);
    this.scrub.setAttribute("aria-label", this.words.scrub); put(this.follow, this.words.follow);
    this.explain = makeExplain(part(".explain"), this.words.explaining);
    this.explain.opened(() => this.ask());
    this.inspector.show(null, null); this.showEmpty();
    this.layers.offer(false);
    this.picture = makePicture(part(".picture"), root, this.words.picture, () => ({ run: this.run, rgb: rgbOf(this.hues) }));
    if (whole && trigger) makePresent(part(".present"), root, this.words.presenting);
    this.listenToCells(); this.listenToTransport();
    if (whole) this.listenToKeys();
    new MutationObserver(() => this.restyle()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }

  readHues() {
    this.hues = readHues(this.root, this.run.head.experts);
    this.cells.colour(this.hues);
  }

  restyle() {
    this.readHues(); this.map.restyle(); this.chart.restyle();
    if (!this.run.steps.length) return;
    this.ask();
    if (this.run.finished) this.finish();
  }

  reset(run) {
    this.player.stop();
    Object.assign(this, { run, cur: -1, following: true, held: null, hovered: null });
    this.readHues(); this.pace?.told(run.id, null);
    this.steer.only(null); this.steer.update({ run: null });
    this.cells.clear(); this.inspector.reset(run.head.experts); this.inspector.show(null, null);
    this.statusBar.reset(run.head); this.map.reset(run.head.experts, run.total); this.chart.reset(run.total); this.atlas.reset();
    this.root.dataset.run = run.id; this.root.dataset.steps = 0;
    // what began last stands first: a comparison, or the run that was asked for after it
    document.querySelector("#sides")?.classList.toggle("later", !this.root.closest(".side"));
    delete this.root.dataset.done; delete this.root.dataset.cur;
    // on a phone the stage lies below the conversation: who has just asked is shown it
    if (NARROW.matches && run.id !== null && !run.head.stored && !this.root.classList.contains("compact")) scrollTo(this.root, "start");
  }

  async apply(text) {
    if (text === "cleared") { this.clear(); return; }
    if (!text) { if (this.run.id === null) this.showEmpty(); else if (!this.run.head.stored) this.clear(); return; }
    const message = JSON.parse(text);
    if (message.run !== this.run.id) this.reset(new Run(message.run, message.head));
    const run = this.run;
    await run.take(message, this.server.missed_steps);
    if (run !== this.run) return;                                   // something else came on stage meanwhile
    this.root.dataset.steps = run.steps.length;
    put(this.part(".wait"), message.note || "");
    put(this.part(".figures"), message.line || "");
    this.statusBar.reading(message.read, run.id, run.head.experts);
    this.pace?.told(run.id, run.finished ? null : message.pace);
    this.scrub.max = Math.max(0, run.last);
    this.scrub.disabled = run.steps.length < 2;
    this.layers.offer(run.steps[0]?.i.length > 0);
    if (this.following) this.cur = run.last;
    if (run.head.stored && !this.player.playing()) { this.cur = lessMotion.matches ? run.last : 0; if (!lessMotion.matches) this.start(); }
    if (run.finished) { this.root.dataset.done = run.id; if (run.steps.length) this.finish(); }
    this.ask();
  }

  finish() { this.atlas.finish(this.run.steps, this.run.head.experts, this.hues); }

  clear() {
    this.reset(new Run());
    put(this.part(".figures"), ""); put(this.part(".wait"), "");
    this.statusBar.reading(null);
    this.scrub.disabled = true; this.label();
    this.root.dataset.run = ""; this.showEmpty();
  }

  showEmpty() { this.explain.update(null); this.picture?.offer(false); this.statusBar.empty(); this.field.replaceChildren(make("p", "empty", this.words.empty)); }

  // One painting a frame whatever comes; a few a second while live for whoever wants no motion.
  ask() {
    if (this.dirty) return;
    this.dirty = true;
    const wait = lessMotion.matches && !this.run.finished ? this.paintedAt + FRAME_MS - performance.now() : 0;
    const frame = () => requestAnimationFrame(() => this.paint());
    if (wait > 0) setTimeout(frame, wait); else frame();
  }

  paint() {
    this.dirty = false; this.paintedAt = performance.now();
    const { run, cur } = this, { head, steps, finished } = run, step = steps[cur];
    if (!step) { if (run.id !== null) this.waiting(); return; }
    const rested = run.isRested(cur);
    this.field.querySelector(".empty")?.remove();
    this.cells.paint(step, b => run.lastStepOf(b), head.blocks, rested, !finished);
    const at = this.statusBar.paint(step, head, finished, rested, this.paused(), run.ended);
    this.label();
    this.scrub.value = cur; this.scrub.setAttribute("aria-valuetext", at);
    this.follow.hidden = finished || this.following;
    this.explain.update(step, head.experts);
    this.picture.offer(finished);
    this.map.grow(steps, finished);
    this.steer.update({ run: run.id, stored: !!head.stored, finished, index: cur, step: cur + 1 });
    this.inspect();
    this.chart.update(steps, head.experts, this.hues, finished); this.chart.mark(cur);
    this.root.dataset.cur = cur;
    if (!this.player.playing()) this.statusBar.speak(step, finished && cur === run.last, head.stored);
  }

  waiting() {
    this.statusBar.waiting(); this.label();
    if (!this.field.children.length) this.field.append(make("p", "empty", this.words.empty));
  }

  // A cell as it is at the step that is shown; null when its block is still to come.
  stepOf(cell) {
    const b = cell ? +cell.dataset.b : -1, shown = this.run.steps[this.cur];
    if (b < 0 || b > shown.b) return null;
    return b === shown.b ? shown : this.run.lastStepOf(b);
  }

  inspect() {
    const cell = this.hovered || this.held, step = this.stepOf(cell), i = step ? +cell.dataset.i : null;
    this.inspector.show(cell, step, step ? step.f[i] : 0);
    this.map.mark(this.cur, step && step.b === this.run.steps[this.cur].b ? i : null);
  }

  hold(cell) {
    this.held?.classList.remove("held");
    this.held = cell;
    if (cell) { cell.classList.add("held"); this.cells.stopAt(cell); }
    this.steer.only(cell);
    this.inspect();
  }

  seek(index) {
    this.player.stop();
    this.cur = Math.max(0, Math.min(this.run.last, index));
    this.following = !this.run.finished && this.cur === this.run.last;
    this.ask();
  }

  goTo(index, i) {
    this.seek(index); this.paint();
    this.hovered = null;
    this.cells.cell(this.run.steps[this.cur].b, i)?.focus();
  }

  live() { return !!this.pace && this.run.id !== null && !this.run.finished && !this.run.head.stored; }
  paused() { return this.live() && this.pace.paused(); }

  // What the buttons do now, on their face.
  label() {
    const live = this.live(), goes = this.player.playing() || (live && this.following && !this.paused());
    this.player.label(goes ? "pause" : "play");
    this.play.disabled = !live && this.run.steps.length < 2;
    this.back.disabled = this.cur < 1; this.onward.disabled = !live && this.cur >= this.run.last;
  }

  toggle() {
    if (this.player.playing()) this.seek(this.cur);
    else if (this.paused()) { this.keepUp(); this.pace.goOn(); }
    else if (this.live() && this.following) this.pace.pause();
    else if (!this.play.disabled) this.start();
    this.ask();
  }

  stepOn() {
    if (this.cur < this.run.last) this.seek(this.cur + 1);
    else if (this.live()) { this.keepUp(); this.pace.step(); this.ask(); }
  }

  keepUp() { this.player.stop(); this.following = true; this.cur = this.run.last; }

  advance() {
    if (this.cur < this.run.last) this.cur += 1; else if (this.run.finished) this.player.stop(); else this.seek(this.cur);
    this.ask();
  }

  start() {
    if (this.cur >= this.run.last) this.cur = 0;
    this.following = false;
    this.player.start();
    this.ask();
  }

  // The arrows walk from cell to cell, Home and End to the first and the last. -> whether the key did
  walk(cell, key) {
    const all = this.cells.shown(), at = all.indexOf(cell);
    const to = all[{ ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[key]];
    to?.focus();
    return !!to;
  }

  listenToCells() {
    const { field, cells } = this, box = this.part(".inspector"), shown = () => this.run.steps[this.cur];
    const cellOf = event => shown() ? event.target.closest(".cell") : null;
    const hover = cell => { this.hovered = cell; if (shown()) this.inspect(); };
    field.addEventListener("pointerover", event => hover(cellOf(event)));
    field.addEventListener("pointerleave", () => hover(null));
    field.addEventListener("mousedown", event => { if (event.shiftKey && this.held) event.preventDefault(); });    // a span begins where the focus is
    for (const kind of ["focusin", "click"]) field.addEventListener(kind, event => {
      const cell = cellOf(event);
      if (cell && event.shiftKey && this.held) this.steer.extend(cell, cells.shown());
      else if (cell && cell !== this.held) this.hold(cell);
    });
    field.addEventListener("keydown", event => {
      const cell = cellOf(event), { key } = event;
      if (!cell) return;
      if (event.shiftKey && key.startsWith("Arrow")) { event.preventDefault(); this.steer.grow(key === "ArrowLeft" ? -1 : 1, cells.shown()); }
      else if (this.walk(cell, key)) event.preventDefault();
      else if (key === "Enter") box.focus();
      else if (key === "Escape") this.hold(null);
    });
    box.addEventListener("keydown", event => { if (event.key === "Escape") this.held?.focus(); });
  }

  listenToTransport() {
    this.scrub.addEventListener("input", () => this.seek(+this.scrub.value));
    this.play.addEventListener("click", () => this.toggle());
    this.back.addEventListener("click", () => this.seek(this.cur - 1));
    this.onward.addEventListener("click", () => this.stepOn());
    this.follow.addEventListener("click", () => { this.keepUp(); this.ask(); });
  }

  // Space and arrows, wherever no other thing of the page takes them; among the words the arrows walk.
  listenToKeys() {
    document.addEventListener("keydown", event => {
      const at = event.target, { key } = event;
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !this.run.steps.length) return;
      if (at.closest("input, textarea, select, button, a, summary, [contenteditable=true], [role=tab], [role=listbox], [role=menu]")) return;
      if (key === " ") this.toggle();
      else if (key === "ArrowRight" && !at.closest(".cell")) this.stepOn();
      else if (key === "ArrowLeft" && !at.closest(".cell")) this.seek(this.cur - 1);
      else return;
      event.preventDefault();
    });
  }
}
