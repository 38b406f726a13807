// What the figures share: plotly.js, which is loaded once when it is first wanted, and the lines drawn with it.
import { addressOf, answerLength, make, meanOf, meanShares, plain } from "./tools.js";

let arriving = null;

export function loadPlotly(src) {
  arriving ??= new Promise((resolve, reject) => {
    const tag = make("script");
    tag.src = addressOf(src);
    tag.onload = () => (window.Plotly ? resolve(window.Plotly) : reject(new Error("plotly did not start")));
    tag.onerror = () => reject(new Error("plotly could not be loaded"));
    document.head.append(tag);
  });
  return arriving;
}

// What all figures have in common, in the colours that the page has now.
export function figureStyle(box, total) {
  const css = name => getComputedStyle(box).getPropertyValue(name).trim();
  const ink = css("--body-text-color-subdued"), line = css("--border-color-primary");
  const axis = { color: ink, gridcolor: line, zeroline: false, tickfont: { size: 11 } };
  return {
    axis, ink, strong: css("--body-text-color"),
    steps: { ...axis, range: [0.5, Math.max(2, total) + 0.5], showgrid: false, nticks: 9, tickformat: "d",
      ...(total <= 9 ? { tick0: 1, dtick: 1 } : {}) },
    layout: {
      showlegend: false, dragmode: false, autosize: true, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      uirevision: "keep", font: { family: css("--font"), color: ink, size: 11 },
      hoverlabel: { bgcolor: css("--background-fill-primary"), bordercolor: line, font: { color: css("--body-text-color") } },
    },
  };
}

// The lines where settings changed; the first one says so.
export function turnLines(turns, total, style, words) {
  const shapes = turns.map(i => ({ type: "line", xref: "x", yref: "paper", x0: i + 0.5, x1: i + 0.5, y0: 0, y1: 1,
    line: { color: style.strong, width: 1.5, dash: "dot" } }));
  const annotations = turns.slice(0, 1).map(i => ({ x: i + 0.5, y: 1, xref: "x", yref: "paper", yanchor: "top", showarrow: false,
    xanchor: i > 0.6 * total ? "right" : "left", text: words.turn, font: { size: 11, color: style.strong } }));
  return { shapes, annotations };
}

export function shareTraces(steps, experts, hues) {
  const means = steps.map(step => meanShares(step, "h", experts));
  return experts.map((expert, k) => ({
    type: "scatter", mode: "lines", stackgroup: "one", name: plain(expert.title), x: means.map((_, i) => i + 1),
    y: means.map(m => m[k]), line: { width: 1.5, color: hues[k] }, fillcolor: hues[k] + "8c", hovertemplate: "%{y:.0%}",
  }));
}

export const disagreements = steps => steps.map(step => meanOf(step.j, answerLength(step)));

export function disagreementTrace(steps, style, words) {
  return { type: "scatter", mode: "lines", name: words.disagreement, x: steps.map((_, i) => i + 1), y: disagreements(steps),
    yaxis: "y2", line: { width: 1.75, color: style.strong }, hovertemplate: "%{y:.3f}" };
}
