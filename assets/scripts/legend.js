// The hues of the experts: the page's style holds them as variables, and every legend is made here.
import { make } from "./tools.js";

export const hueOf = expert => `var(--hue-${expert.hue})`;

// The hues themselves as #rrggbb, as the page has them now.
export function readHues(box, experts) {
  const style = getComputedStyle(box);
  return experts.map(expert => style.getPropertyValue(`--hue-${expert.hue}`).trim());
}

// One line of a legend: the hue, the name, and what else there is to say.
export function legendItem(expert, ...more) {
  const item = make("li"), swatch = make("i", "swatch");
  swatch.style.background = hueOf(expert);
  item.append(swatch, make("span", "", expert.title), ...more);
  return item;
}
