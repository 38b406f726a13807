// Shares and disagreement over the steps, drawn with plotly.js when it has arrived. Knows steps, colours and one box.
const CHART_MARGIN = { l: 34, r: 8, t: 6, b: 26 };

function loadPlotly(src) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  if (!window.ssd2Plotly) {
    const given = window.gradio_config?.root;        // by its path alone: behind a proxy its scheme and host may be others
    const root = given ? new URL(given, location.href).pathname.replace(/\/$/, "") : "";
    window.ssd2Plotly = new Promise((resolve, reject) => {
      const tag = document.createElement("script");
      tag.src = root + src;
      tag.onload = () => (window.Plotly ? resolve(window.Plotly) : reject(new Error("plotly did not start")));
      tag.onerror = () => reject(new Error("plotly could not be loaded"));
      document.head.append(tag);
    });
  }
  return window.ssd2Plotly;
}

// What all figures have in common, in the colours that the page has now.
function figureStyle(box, total) {
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
function turnLines(turns, total, style, words) {
  const shapes = turns.map(i => ({ type: "line", xref: "x", yref: "paper", x0: i + 0.5, x1: i + 0.5, y0: 0, y1: 1,
    line: { color: style.strong, width: 1.5, dash: "dot" } }));
  const annotations = turns.slice(0, 1).map(i => ({ x: i + 0.5, y: 1, xref: "x", yref: "paper", yanchor: "top", showarrow: false,
    xanchor: i > 0.6 * total ? "right" : "left", text: words.turn, font: { size: 11, color: style.strong } }));
  return { shapes, annotations };
}

function shareTraces(steps, experts, hues) {
  const means = steps.map(step => meanShares(step, "h", experts));
  return experts.map((expert, k) => ({
    type: "scatter", mode: "lines", stackgroup: "one", name: plain(expert.title), x: means.map((_, i) => i + 1),
    y: means.map(m => m[k]), line: { width: 1.5, color: hues[k] }, fillcolor: hues[k] + "8c", hovertemplate: "%{y:.0%}",
  }));
}

const disagreements = steps => steps.map(step => meanOf(step.j, answerLength(step)));

function disagreementTrace(steps, style, words) {
  return { type: "scatter", mode: "lines", name: words.disagreement, x: steps.map((_, i) => i + 1), y: disagreements(steps),
    yaxis: "y2", line: { width: 1.75, color: style.strong }, hovertemplate: "%{y:.3f}" };
}

function makeChart(box, settings, words, onSeek) {
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
