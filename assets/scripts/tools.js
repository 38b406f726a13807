// Small things that every script of the page uses.

// Whether the visitor wants less motion: all that plays, scrolls or redraws by itself asks this.
export const lessMotion = window.matchMedia("(prefers-reduced-motion: reduce)");

// Scroll to where a part can be seen.
export const scrollTo = (part, block) => part?.scrollIntoView({ block, behavior: lessMotion.matches ? "auto" : "smooth" });

// The address of what our server has at a path. Gradio's root counts by its path alone: behind a proxy its scheme and host may be others.
export function addressOf(path) {
  const root = new URL(window.gradio_config?.root || ".", document.baseURI).pathname.replace(/\/?$/, "/");
  return new URL(root + path.replace(/^\//, ""), document.baseURI);
}

// A sentence with its {places} filled in.
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);

// A new element with its class and its text, which is never read as markup.
export function make(tag, name = "", text) {
  const made = document.createElement(tag);
  made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

// A new element of a picture; attributes by name.
export function makeSvg(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Give the visitor a text as a file.
export function saveFile(name, type, text) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// A button that does not send a form.
export function makeButton(name, text, act) {
  const made = make("button", name, text);
  made.type = "button";
  if (act) made.addEventListener("click", act);
  return made;
}

// What a thing without words on it is called, for who listens and who points.
export function name(node, text) { node.setAttribute("aria-label", text); node.title = text; }

// The choices of a select as [value, text], and its name.
export function offer(select, choices, text) {
  select.replaceChildren(...choices.map(([value, said]) => { const option = make("option", "", said); option.value = value; return option; }));
  name(select, text);
}

// Write a text, unless it stands there already.
export const put = (node, text) => { if (node.textContent !== text) node.textContent = text; };
export const percent = value => Math.round(100 * value);
export const shareText = value => `${percent(value)}\u202f%`;

// A probability in words: one that is almost 0 or almost 1 is not said to be it.
export function chance(p) {
  if (p > 0 && p < 0.005) return "<1\u202f%";
  if (p > 0.995 && p < 1) return ">99\u202f%";
  return shareText(p);
}

// A token that begins with a space begins a word: the space is drawn as a gap before its cell.
export function show(text) {
  const bare = text.startsWith(" ") && text.trim() ? text.slice(1) : text;
  return bare === "" ? "\u00b7" : bare.replace(/\n/g, "\u21b5").replace(/\t/g, "\u21e5").replace(/^ +$/, "\u2423");
}

// The cells that belong to the answer: up to and with the first end cell.
export const answerLength = step => step.e.length ? step.e[0] + 1 : step.t.length;

export function meanOf(values, count) {
  const cells = values.slice(0, count);
  return cells.reduce((sum, value) => sum + value, 0) / Math.max(1, cells.length);
}

// Mean share of each expert over the cells that belong to the answer and were predicted by now.
export function meanShares(step, key, experts) {
  const cells = step[key].slice(0, answerLength(step)).filter(cell => cell.some(share => share > 0));
  return experts.map((_, k) => meanOf(cells.map(cell => cell[k]), cells.length));
}

// Indices of the steps at which moved weights or new pins first acted.
export const turnsIn = steps => steps.flatMap((step, i) => i && step.v > steps[i - 1].v ? [i] : []);

// Plotly reads a few tags and $...$ in names; a title shows as it is.
export const plain = text => String(text).replace(/[<>$&]/g, " ");
