// How it works: a step lights up the part of the page that it speaks of, and can be read beside it. Texts are written as text.
import { make, makeButton, put, scrollTo } from "./tools.js";

const dim = () => document.querySelectorAll(".lit").forEach(part => part.classList.remove("lit"));

export function start({ element, props }) {
  const list = element.querySelector("ol"), card = element.querySelector(".tour-card"), { steps, words } = props;
  let at = 0;

  function light(index) {
    dim();
    at = index;
    const parts = [...document.querySelectorAll(steps[index].parts)].filter(part => part.checkVisibility());
    parts.forEach(part => part.classList.add("lit"));
    return parts[0];
  }

  function visit(index) {
    const part = light(index);
    card.hidden = false;
    put(card.querySelector("b"), `${index + 1}. ${steps[index].title}`);
    put(card.querySelector("p"), steps[index].text);
    before.disabled = index === 0;
    next.disabled = index === steps.length - 1;
    scrollTo(part, "center");
    (next.disabled ? close : next).focus({ preventScroll: true });
  }

  function leave() {
    if (card.hidden) { dim(); return; }
    card.hidden = true;
    list.children[at].firstChild.focus();
  }

  const before = makeButton("", words.before, () => visit(at - 1)), next = makeButton("", words.next, () => visit(at + 1));
  const close = makeButton("", words.close, leave);
  card.querySelector(".turns").append(before, next, close);
  steps.forEach((step, index) => {
    const item = make("li"), button = makeButton("", step.title, () => visit(index));
    button.addEventListener("focus", () => light(index));
    button.addEventListener("blur", () => { if (card.hidden) dim(); });
    item.append(button, make("p", "", step.text));
    list.append(item);
  });
  // Whoever goes elsewhere on the page is done with it; what is lit up may be tried.
  document.addEventListener("pointerdown", event => {
    if (card.contains(event.target) || list.contains(event.target) || event.target.closest?.(".lit")) return;
    card.hidden = true;
    dim();
  });
  element.addEventListener("keydown", event => { if (event.key === "Escape") leave(); });
}
