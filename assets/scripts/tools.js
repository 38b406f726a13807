// Small things that every part of the viewer uses. All parts are pieces of one function: nothing here is global.
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
const make = (tag, name, text) => { const e = document.createElement(tag); e.className = name; if (text !== undefined) e.textContent = text; return e; };
const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
const percent = value => Math.round(100 * value);
const shareText = value => `${percent(value)}\u202f%`;

// A probability in words: one that is almost 0 or almost 1 is not said to be it.
function chance(p) {
  if (p > 0 && p < 0.005) return "<1\u202f%";
  if (p > 0.995 && p < 1) return ">99\u202f%";
  return shareText(p);
}

// A token that begins with a space begins a word: the space is drawn as a gap before its cell.
function show(text) {
  const bare = text.startsWith(" ") && text.trim() ? text.slice(1) : text;
  return bare === "" ? "\u00b7" : bare.replace(/\n/g, "\u21b5").replace(/\t/g, "\u21e5").replace(/^ +$/, "\u2423");
}

// The cells that belong to the answer: up to and with the first end cell.
const answerLength = step => step.e.length ? step.e[0] + 1 : step.t.length;

function meanOf(values, count) {
  const cells = values.slice(0, count);
  return cells.reduce((sum, value) => sum + value, 0) / Math.max(1, cells.length);
}

// Mean share of each expert over the cells that belong to the answer.
const meanShares = (step, key, experts) => experts.map((_, k) => meanOf(step[key].map(cell => cell[k]), answerLength(step)));

// Indices of the steps at which moved weights or new pins first acted.
const turnsIn = steps => steps.flatMap((step, i) => i && step.v > steps[i - 1].v ? [i] : []);

// Plotly reads a few tags and $...$ in names; a title shows as it is.
const plain = text => String(text).replace(/[<>$&]/g, " ");
