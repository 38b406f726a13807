// The files that a visitor gave, as chips: a click opens what was read of one, the cross takes it away. Names are written as text only.
import { fill, make, makeButton } from "./tools.js";

export function start({ element, props, onValue, trigger }) {
  const box = element.querySelector(".chips"), words = props.words;
  box.setAttribute("aria-label", words.label);

  function chip({ key, name, size, open }) {
    const made = make("span", open ? "chip open" : "chip");
    const show = makeButton("show", "", () => trigger("open", { key })), cross = makeButton("remove", "×", () => trigger("remove", { key }));
    show.append(make("bdi", "name", name), make("span", "size", size === "1" ? words.one : fill(words.size, { size })));
    show.title = fill(words.open, { name }); show.setAttribute("aria-expanded", open);
    cross.setAttribute("aria-label", fill(words.remove, { name })); cross.title = cross.getAttribute("aria-label");
    made.append(show, cross);
    return made;
  }

  onValue(text => {
    const place = [...box.querySelectorAll("button")].indexOf(document.activeElement);       // the keyboard stays where it was
    box.replaceChildren(...(text ? JSON.parse(text) : []).map(chip));
    box.querySelectorAll("button")[place]?.focus();
  });
}
