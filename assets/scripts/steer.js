// Steering: which words are marked, and what is asked of the server for them. Knows cells; not how they are painted.
import { fill, put } from "./tools.js";

// wordOf: the cells of the word that a cell belongs to.
export function makeSteer(box, words, wordOf, send) {
  const part = name => box.querySelector(name), word = part(".word"), pieces = part(".pieces"), buttons = ["pin", "again", "branch"];
  let marked = [], anchor = null, state = { run: null, finished: false, step: 0, index: 0 };

  const whole = cell => pieces.getAttribute("aria-pressed") === "true" ? [cell] : wordOf(cell);
  const place = cell => [+cell.dataset.b, +cell.dataset.i];

  function mark(cells) {
    marked.forEach(cell => cell.classList.remove("marked"));
    marked = cells;
    marked.forEach(cell => cell.classList.add("marked"));
    refresh();
  }

  function refresh() {
    const many = marked.length;
    const text = marked.map((cell, i) => (i && !cell.classList.contains("inside") ? " " : "") + cell.textContent).join("");
    put(part(".count"), many ? fill(words.marked, { text }) : words.markHint);
    word.placeholder = many ? fill(words.instead, { text }) : words.first;
    part(".pin").disabled = !many || !word.value.trim();
    put(part(".pin"), state.finished ? words.replace : words.pin);
    part(".again").disabled = !many || !state.finished || !!word.value.trim();
    part(".branch").disabled = !state.finished;
    put(part(".branch"), fill(words.branch, { step: state.step }));
  }

  function ask(action, more) { send({ action, run: state.run, ...more }); }

  part(".pin").addEventListener("click", () => {
    const [block, position] = place(marked[0]);
    ask("pin", { block, position, text: word.value.trim() });
    word.value = ""; refresh();
  });
  part(".again").addEventListener("click", () => ask("again", { cells: marked.map(place) }));
  part(".branch").addEventListener("click", () => ask("branch", { step: state.index }));
  word.addEventListener("input", refresh);
  word.addEventListener("keydown", event => {
    if (event.key === "Enter") { event.preventDefault(); if (!part(".pin").disabled) part(".pin").click(); }
  });
  pieces.setAttribute("aria-pressed", "false"); put(pieces, words.pieces); pieces.title = words.piecesHint;
  pieces.addEventListener("click", () => {
    pieces.setAttribute("aria-pressed", String(pieces.getAttribute("aria-pressed") !== "true"));
    if (anchor) mark(whole(anchor));
  });
  word.setAttribute("aria-label", words.word); word.title = words.markHint;
  buttons.slice(0, 2).forEach(name => put(part(`.${name}`), words[name]));
  box.setAttribute("aria-label", words.steer);

  return {
    // The word of one cell, from which a span can be drawn out.
    only(cell) { anchor = cell; mark(cell ? whole(cell) : []); },
    // All from the first marked cell to this one, in the order of the text.
    extend(cell, all) {
      if (!anchor || !all.includes(anchor)) return this.only(cell);
      const ends = [...whole(anchor), ...whole(cell)].map(each => all.indexOf(each));
      mark(all.slice(Math.min(...ends), Math.max(...ends) + 1));
    },
    // The same by one cell to the right or to the left, from the keyboard.
    grow(by, all) {
      const ends = marked.length ? [all.indexOf(marked[0]), all.indexOf(marked.at(-1))] : [];
      const far = all.indexOf(anchor) === ends[0] ? ends[1] : ends[0];
      if (anchor && all[far + by]) this.extend(all[far + by], all);
    },
    update(next) { state = next; box.hidden = next.run === null || next.stored; refresh(); },
  };
}
