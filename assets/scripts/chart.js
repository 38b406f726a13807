// Shares and disagreement over the steps, drawn with plotly.js when it has arrived. Knows steps, colours and one box.
import { disagreementTrace, disagreements, figureStyle, loadPlotly, shareTraces, turnLines } from "./figures.js";
import { fill, meanShares, shareText, turnsIn } from "./tools.js";

const CHART_MARGIN = { l: 34, r: 8, t: 6, b: 26 };

export function makeChart(box, settings, words, onSeek) {
  const draw = box.querySelector(".draw"), cursor = box.querySelector(".cursor");
  draw.setAttribute("aria-label", words.chartTitle);
  const state = { plotly: null, drawn: -1, total: 2, listening: false, finished: false };
  const small = window.innerWidth < 600 || (navigator.hardwareConcurrency || 8) <= 4;
  const every = small ? settings.everySmall : settings.every;

  function layout(steps, several) {
    const style = figureStyle(box, state.total), fixed = { ...style.axis, fixedrange: true };
    return {
      ...style.layout, margin: CHART_MARGIN, hovermode: "x unified", hoversubplots: "axis",
      xaxis: { ...style.steps, fixedrange: true, anchor: several ? "y2" : "y" },
      yaxis: { ...fixed, range: [0, 1], tickformat: ".0%", tickvals: [0, 0.5, 1], domain: several ? [0.4, 1] : [0, 1] },
      ...(several ? { yaxis2: { ...fixed, rangemode: "tozero", nticks: 3, domain: [0, 0.3] } } : {}),
      ...turnLines(turnsIn(steps), state.total, style, words),
    };
  }

  function describe(steps, experts) {
    const means = meanShares(steps.at(-1), "h", experts), turns = turnsIn(steps).map(i => i + 1);
    const shares = experts.map((expert, k) => `${expert.title} ${shareText(means[k])}`).join(", ");
    const text = fill(words.chartLabel, { step: steps.length, shares, value: disagreements(steps.slice(-1))[0].toFixed(2) });
    draw.setAttribute("aria-label", text + (turns.length ? ` ${fill(words.turnsAt, { steps: turns.join(", ") })}` : ""));
    box.dataset.turns = turns.join(",");
  }

  // To start plotly takes half a second: better while nothing moves than at the first steps of the first answer.
  (window.requestIdleCallback || (work => setTimeout(work, 1000)))(() => loadPlotly(settings.src).catch(() => {}));

  return {
    reset(total) { state.drawn = -1; state.total = total; cursor.hidden = true; if (state.plotly) state.plotly.purge(draw); state.listening = false; },
    update(steps, experts, hues, finished) {
      const due = state.drawn < 0 ? Math.min(every, 2) : state.drawn + every;
      if (!steps.length || state.drawn === steps.length && finished === state.finished || (!finished && steps.length < due)) return;
      state.drawn = steps.length; state.finished = finished;
      if (finished) state.total = steps.length;
      const several = experts.length > 1, now = steps.slice();
      loadPlotly(settings.src).then(plotly => {
        if (state.drawn !== now.length) return;                                   // a later drawing is on its way
        state.plotly = plotly;
        const more = several ? [disagreementTrace(now, figureStyle(box, state.total), words)] : [];
        plotly.react(draw, [...shareTraces(now, experts, hues), ...more], layout(now, several), { displayModeBar: false, responsive: true });
        box.dataset.drawn = now.length;
        describe(now, experts);
        if (state.listening) return;
        state.listening = true;
        draw.on("plotly_click", event => onSeek(event.points[0].x - 1));
      }).catch(() => { draw.textContent = words.chartMissing; });
    },
    restyle() { state.drawn = -1; },
    mark(index) {
      cursor.hidden = state.drawn < 1;
      const share = (index + 0.5) / Math.max(2, state.total);
      cursor.style.left = `calc(${CHART_MARGIN.l}px + (100% - ${CHART_MARGIN.l + CHART_MARGIN.r}px) * ${Math.min(1, share)})`;
    },
  };
}
