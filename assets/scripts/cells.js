// The cells of all blocks: text, hue, strength and marks. Knows steps and colours; writes text as text only.
import { mixed, rgbOf } from "./legend.js";
import { fill, make, put, show } from "./tools.js";

const MOST_PLACEHOLDERS = 7, UNSEEN = "\u2592\u2592", MOST_OFF = 4, LETTER = /[\p{L}\p{N}]/u;        // px

export function makeCells(box, words) {
  const blocks = [];
  let hues = [], rgb = [];

  function blockAt(b) {
    while (blocks.length <= b) {
      const span = make("span", "block"), tag = make("i", "tag");
      span.setAttribute("role", "list"); tag.setAttribute("aria-hidden", "true");
      span.append(tag); box.append(span);
      blocks.push({ span, tag, cells: [], state: "", step: null });
    }
    return blocks[b];
  }

  function lengthen(block, b, length) {
    while (block.cells.length < length) {
      const cell = make("span", "cell");
      cell.setAttribute("role", "listitem"); cell.tabIndex = -1; cell.dir = "auto";
      cell.dataset.b = b; cell.dataset.i = block.cells.length;
      block.span.append(cell); block.cells.push(cell);
    }
  }

  // done, now or next: in words for who listens, as a tag for who looks.
  function setState(block, b, state) {
    if (block.state === state) return;
    block.state = block.span.dataset.state = state;
    put(block.tag, fill(words.tags[state], { block: b + 1 }));
    block.span.setAttribute("aria-label", fill(words.blockStates[state], { block: b + 1 }));
  }

  // The colour of a cell, and the bar under it, which is exact.
  function tint(shares) {
    const sum = shares.reduce((a, b) => a + b, 0) || 1;
    let from = 0;
    const stops = shares.map((s, j) => { const to = from + 100 * s / sum, stop = `${hues[j]} ${from.toFixed(1)}% ${to.toFixed(1)}%`; from = to; return stop; });
    return [mixed(shares, rgb), `linear-gradient(90deg, ${stops.join(", ")})`];
  }

  // What the models see there: it lies the further off, the less it is; what is settled lies still.
  function paintSeen(cell, seen, mass, still, s, i) {
    cell.dataset.seen = seen === "" ? UNSEEN : show(seen);
    const far = still ? 0 : MOST_OFF * (1 - mass), turn = 2.4 * (s * 7 + i * 5);
    cell.style.setProperty("--off", `${(far * Math.cos(turn)).toFixed(1)}px ${(far * Math.sin(turn)).toFixed(1)}px`);
    cell.style.setProperty("--mass", mass);
  }

  function paintBlock(b, step, isNow) {
    const block = blockAt(b), end = step.e.length ? step.e[0] : Infinity;
    if (block.step === step && block.isNow === isNow && block.hues === hues) return;
    Object.assign(block, { step, isNow, hues });
    lengthen(block, b, step.t.length);
    step.t.forEach((text, i) => {
      const cell = block.cells[i], isEnd = step.e.includes(i), changed = isNow && step.x.includes(i), pinned = step.p.includes(i);
      const settled = step.z.includes(i), seen = step.i[i], mass = step.m[i] ?? 0;
      const key = `${text}|${step.c[i]}|${step.d[i]}|${isEnd}|${i > end}|${changed}|${pinned}|${hues}|${settled}|${seen}|${mass}`;
      if (cell.painted === key) return;
      cell.painted = key;
      put(cell, !isEnd ? show(text) : i === end ? words.end : "\u00b7");
      const [colour, split] = tint(step.d[i]);
      cell.style.setProperty("--mix", colour);
      cell.style.setProperty("--split", split);
      cell.style.setProperty("--sure", step.c[i]);
      if (seen !== undefined) paintSeen(cell, seen, mass, settled || pinned || !isNow, step.s, i);
      cell.className = ["cell", !isEnd && !/^\s/.test(text) && "inside", isEnd && "ends", i > end && "after", changed && "changed",
        pinned && "pinned", ...["held", "marked"].filter(name => cell.classList.contains(name))].filter(Boolean).join(" ");
    });
  }

  return {
    clear() { blocks.length = 0; box.replaceChildren(); },
    colour(found) { hues = found; rgb = rgbOf(hues); },
    cell: (b, i) => blocks[b]?.cells[i],
    shown: () => blocks.filter(block => !block.span.hidden && block.state !== "next").flatMap(block => block.cells),

    // The cells of the word that a cell belongs to: a word begins where there is a gap before it. Marks at its ends stand alone.
    word(cell) {
      const all = this.shown(), at = all.indexOf(cell), alone = each => each.classList.contains("ends");
      const bare = each => !LETTER.test(each.textContent);
      if (at < 0 || alone(cell)) return [cell];
      let from = at, to = at + 1;
      while (from > 0 && all[from].classList.contains("inside") && !alone(all[from - 1])) from -= 1;
      while (to < all.length && all[to].classList.contains("inside") && !alone(all[to])) to += 1;
      const word = all.slice(from, to), first = word.findIndex(each => !bare(each)), last = word.findLastIndex(each => !bare(each));
      const inner = word.slice(first, last + 1);
      return first < 0 ? word : inner.includes(cell) ? inner : [cell];
    },

    // The step that is shown, the last steps of the blocks before it, and what is still to come: ``total`` blocks at most.
    paint(step, lastStepOf, total, rested, live) {
      box.classList.toggle("many", total > 1);
      for (let b = 0; b < Math.max(total, blocks.length); b++) {
        const state = b < step.b || (b === step.b && rested) ? "done" : b === step.b ? "now" : "next";
        const block = blockAt(b), moved = block.state !== state;
        setState(block, b, state);
        block.span.hidden = state === "next" && !(live && b < total && b <= step.b + MOST_PLACEHOLDERS);
        if (b < step.b && lastStepOf(b)) paintBlock(b, lastStepOf(b), false);
        if (b === step.b) paintBlock(b, step, true);
        if (moved && state === "now" && b && box.scrollHeight > box.clientHeight) box.scrollTop = block.span.offsetTop - 12;
      }
      if (!box.querySelector('.cell[tabindex="0"]')) blocks[0].cells[0].tabIndex = 0;
    },

    // Only one cell is a stop of the Tab key; the arrows walk from there.
    stopAt(cell) { box.querySelectorAll('.cell[tabindex="0"]').forEach(e => { e.tabIndex = -1; }); cell.tabIndex = 0; },
  };
}
