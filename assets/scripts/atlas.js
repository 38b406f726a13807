// All figures of a finished run on one sheet, to zoom and to save as a picture. Drawn when it is opened, never while live.
import { disagreementTrace, figureStyle, loadPlotly, shareTraces, turnLines } from "./figures.js";
import { plain, put, show, turnsIn } from "./tools.js";

export function makeAtlas(box, settings, words) {
  const pages = box.querySelector(".pages");
  let run = null, plotly = null;

  function heat(steps, key, axis, scale) {
    const rows = steps[0].t.length;
    return { type: "heatmap", x: steps.map((_, i) => i + 1), y: Array.from({ length: rows }, (_, i) => i + 1), yaxis: axis,
      z: Array.from({ length: rows }, (_, i) => steps.map(step => step[key][i])), name: words.maps[key], colorscale: scale, showscale: false,
      text: Array.from({ length: rows }, (_, i) => steps.map(step => plain(step.e.includes(i) ? words.end : show(step.t[i])))),
      hovertemplate: `${words.chartStep} %{x}, %{y}: %{text}<br>${words.maps[key]} %{z:.3f}<extra></extra>` };
  }

  function layout(steps, style, names) {
    const domains = [[0.8, 1], [0.56, 0.74], [0.28, 0.5], [0, 0.22]];
    const turns = turnLines(turnsIn(steps), steps.length, style, words);
    const titles = names.map((text, n) => ({ x: 0, y: domains[n][1], xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom",
      showarrow: false, text, font: { size: 12, color: style.strong } }));
    const positions = n => ({ ...style.axis, domain: domains[n], autorange: "reversed", showgrid: false });
    return {
      ...style.layout, dragmode: "zoom", hovermode: "closest", margin: { l: 40, r: 10, t: 22, b: 30 },
      xaxis: { ...style.steps, anchor: "y4" },
      yaxis: { ...style.axis, domain: domains[0], range: [0, 1], tickformat: ".0%" },
      yaxis2: { ...style.axis, domain: domains[1], rangemode: "tozero" }, yaxis3: positions(2), yaxis4: positions(3),
      shapes: turns.shapes, annotations: titles,
    };
  }

  async function draw() {
    if (!box.open || !run) return;
    const { steps, experts, hues } = run, style = figureStyle(box, steps.length), css = getComputedStyle(box);
    const scale = [0, 1, 2, 3].map(n => [n / 3, css.getPropertyValue(`--map-${n}`).trim()]);
    const traces = [...shareTraces(steps, experts, hues), disagreementTrace(steps, style, words), heat(steps, "c", "y3", scale), heat(steps, "n", "y4", scale)];
    const names = [words.shares, words.disagreement, words.maps.c, words.maps.n];
    try {
      plotly = await loadPlotly(settings.src);
      await plotly.react(pages, traces, layout(steps, style, names), { displaylogo: false, displayModeBar: true, responsive: true,
        modeBarButtons: [["zoom2d", "pan2d", "resetScale2d", "toImage"]] });
      box.dataset.drawn = steps.length;
    } catch { put(pages, words.chartMissing); }
  }

  put(box.querySelector("summary"), words.atlas);
  box.addEventListener("toggle", draw);
  return {
    reset() { run = null; box.hidden = true; box.open = false; delete box.dataset.drawn; if (plotly) plotly.purge(pages); },
    finish(steps, experts, hues) { run = { steps, experts, hues }; box.hidden = false; draw(); },
  };
}
