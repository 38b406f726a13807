// The hues of the experts: the page's style holds them as variables, and every legend is made here.
import { make } from "./tools.js";

export const hueOf = expert => `var(--hue-${expert.hue})`;

// The hues themselves as #rrggbb, as the page has them now.
export function readHues(box, experts) {
  const style = getComputedStyle(box);
  return experts.map(expert => style.getPropertyValue(`--hue-${expert.hue}`).trim());
}

// The hues as [red, green, blue].
export const rgbOf = hues => hues.map(hue => [1, 3, 5].map(i => parseInt(hue.slice(i, i + 2), 16)));

// One colour for shares: of squared ones, so that two experts mix to grey only where they really agree to share.
export function mixed(shares, rgb) {
  const pull = shares.map(s => s * s), pulls = pull.reduce((a, b) => a + b, 0) || 1;
  return `rgb(${[0, 1, 2].map(k => Math.round(pull.reduce((a, s, j) => a + s * rgb[j][k], 0) / pulls)).join(" ")})`;
}

// The parts of a bar of shares, one for each expert.
export function shareParts(experts, shares) {
  return shares.map((share, k) => {
    const part = make("i");
    part.style.flexGrow = share; part.style.background = hueOf(experts[k]);
    return part;
  });
}

// One line of a legend: the hue, the name, and what else there is to say.
export function legendItem(expert, ...more) {
  const item = make("li"), swatch = make("i", "swatch");
  swatch.style.background = hueOf(expert);
  item.append(swatch, make("span", "", expert.title), ...more);
  return item;
}
