// How it works: a step lights up the part of the page that it speaks of, and can be read beside it. Texts are written as text.
const list = element.querySelector("ol"), card = element.querySelector(".tour-card"), S = props.steps, W = props.words;
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const make = (tag, name, text) => { const e = document.createElement(tag); e.className = name; e.textContent = text; return e; };
let at = 0;

const dim = () => document.querySelectorAll(".lit").forEach(part => part.classList.remove("lit"));
function light(index) {
  dim();
  at = index;
  const parts = [...document.querySelectorAll(S[index].parts)].filter(part => part.checkVisibility());
  parts.forEach(part => part.classList.add("lit"));
  return parts[0];
}

function visit(index) {
  const part = light(index);
  card.hidden = false;
  card.querySelector("b").textContent = `${index + 1}. ${S[index].title}`;
  card.querySelector("p").textContent = S[index].text;
  before.disabled = index === 0;
  next.disabled = index === S.length - 1;
  part?.scrollIntoView({ block: "center", behavior: calm.matches ? "auto" : "smooth" });
  (next.disabled ? close : next).focus({ preventScroll: true });
}

function leave() {
  if (card.hidden) { dim(); return; }
  card.hidden = true;
  list.children[at].firstChild.focus();
}

S.forEach((step, index) => {
  const item = make("li", "", ""), button = make("button", "", step.title);
  button.type = "button";
  button.addEventListener("focus", () => light(index));
  button.addEventListener("blur", () => { if (card.hidden) dim(); });
  button.addEventListener("click", () => visit(index));
  item.append(button, make("p", "", step.text));
  list.append(item);
});

const [before, next, close] = [[W.before, () => visit(at - 1)], [W.next, () => visit(at + 1)], [W.close, leave]].map(([text, act]) => {
  const button = make("button", "", text);
  button.type = "button";
  button.addEventListener("click", act);
  card.querySelector(".turns").append(button);
  return button;
});
element.addEventListener("keydown", event => { if (event.key === "Escape") leave(); });
