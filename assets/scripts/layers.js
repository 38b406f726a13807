// Which layers of a word are shown: what the models predict, what they see, or both.
import { makeButton } from "./tools.js";

export function makeLayers(box, root, words) {
  const buttons = words.layerNames.map(([name, text]) => {
    const made = makeButton("", text, () => choose(name));
    made.dataset.layer = name;
    return made;
  });

  function choose(name) {
    root.dataset.layers = name;
    buttons.forEach(made => made.setAttribute("aria-pressed", String(made.dataset.layer === name)));
  }

  box.setAttribute("aria-label", words.layers);
  box.replaceChildren(...buttons);
  choose("both");
  return { offer(seen) { box.hidden = !seen; root.classList.toggle("has-input", seen); } };
}
