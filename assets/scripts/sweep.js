// Paints a strip of answers over one expert's weight. Reads the whole strip at each message; writes text as text only.
const W = props.words, hues = element.querySelector(".hues"), list = element.querySelector(".strip"), cells = [];
const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const make = (tag, name) => { const e = document.createElement(tag); e.className = name; return e; };

function cellAt(i) {
  while (cells.length <= i) {
    const item = make("li", ""), button = make("button", "point"), part = { item, button };
    button.type = "button";
    for (const name of ["weight", "state", "text", "shares"]) { part[name] = make("span", name); button.append(part[name]); }
    part.shares.setAttribute("role", "img");
    button.addEventListener("click", () => show(i));
    item.append(button); list.append(item); cells.push(part);
  }
  return cells[i];
}

function show(i) {
  if (!cells[i].run) return;
  cells.forEach((part, k) => part.button.setAttribute("aria-pressed", k === i));
  trigger("show_run", { run: cells[i].run });
  document.querySelector("#viewer")?.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
}

function paint(data) {
  hues.replaceChildren(...data.experts.map(expert => {
    const item = make("li", ""), swatch = make("i", "");
    swatch.style.background = `var(--hue-${expert.hue})`;
    item.append(swatch, expert.title);
    return item;
  }));
  data.cells.forEach((cell, i) => {
    const part = cellAt(i), key = JSON.stringify(cell);
    if (part.painted === key) return;
    if (part.run !== cell.run) part.button.removeAttribute("aria-pressed");
    part.painted = key; part.run = cell.run;
    part.item.dataset.state = cell.state;
    part.button.setAttribute("aria-disabled", !cell.run);
    part.button.title = cell.run ? W.show : "";
    part.weight.textContent = cell.weight; part.state.textContent = W[cell.state] || ""; part.text.textContent = cell.text;
    part.shares.replaceChildren(...cell.shares.map((share, k) => {
      const bar = make("i", "");
      bar.style.flexGrow = share; bar.style.background = `var(--hue-${data.experts[k].hue})`;
      return bar;
    }));
    const told = cell.shares.map((share, k) => `${data.experts[k].title} ${Math.round(100 * share)} %`).join(", ");
    part.shares.setAttribute("aria-label", told && W.shares.replace("{shares}", told));
  });
  while (cells.length > data.cells.length) cells.pop().item.remove();
}

const take = () => { if (props.value) paint(JSON.parse(props.value)); };
watch("value", take); take();
