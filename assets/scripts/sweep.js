// Paints a strip of answers over one expert's weight. Reads the whole strip at each message; writes text as text only.
import { legendItem, shareParts } from "./legend.js";
import { fill, make, makeButton, percent, put, scrollTo } from "./tools.js";

export function start({ element, props, onValue, trigger }) {
  const words = props.words, legend = element.querySelector(".legend"), list = element.querySelector(".strip"), cells = [];

  function cellAt(i) {
    while (cells.length <= i) {
      const n = cells.length, item = make("li"), button = makeButton("point", undefined, () => show(n)), part = { item, button };
      for (const name of ["weight", "state", "text", "shares"]) { part[name] = make("span", name); button.append(part[name]); }
      part.shares.setAttribute("role", "img");
      item.append(button); list.append(item); cells.push(part);
    }
    return cells[i];
  }

  function show(i) {
    if (!cells[i].run) return;
    cells.forEach((part, k) => part.button.setAttribute("aria-pressed", k === i));
    trigger("show_run", { run: cells[i].run });
    scrollTo(document.querySelector("#viewer"), "nearest");
  }

  function paintCell(part, cell, experts) {
    if (part.run !== cell.run) part.button.removeAttribute("aria-pressed");
    part.run = cell.run;
    part.item.dataset.state = cell.state;
    part.button.setAttribute("aria-disabled", !cell.run);
    part.button.title = cell.run ? words.show : "";
    put(part.weight, cell.weight); put(part.state, words[cell.state] || ""); put(part.text, cell.text);
    part.shares.replaceChildren(...shareParts(experts, cell.shares));
    const told = cell.shares.map((share, k) => `${experts[k].title} ${percent(share)} %`).join(", ");
    part.shares.setAttribute("aria-label", told && fill(words.shares, { shares: told }));
  }

  function paint(data) {
    legend.replaceChildren(...data.experts.map(expert => legendItem(expert)));
    data.cells.forEach((cell, i) => {
      const part = cellAt(i), key = JSON.stringify(cell);
      if (part.painted === key) return;
      part.painted = key;
      paintCell(part, cell, data.experts);
    });
    while (cells.length > data.cells.length) cells.pop().item.remove();
  }

  onValue(value => { if (value) paint(JSON.parse(value)); });
}
