// Share of each expert over the steps, drawn with plotly.js when it has arrived. Knows steps, colours and one box.
const CHART_MARGIN = { l: 34, r: 8, t: 6, b: 26 };

function loadPlotly(src) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  if (!window.ssd2Plotly) {
    const root = (window.gradio_config?.root || "").replace(/\/$/, "");
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

// Mean share of each expert over the cells that belong to the answer: up to and with the first end cell.
function meanShares(step, key, experts) {
  const last = step.e.length ? step.e[0] : step.t.length - 1;
  const cells = step[key].slice(0, last + 1);
  return experts.map((_, k) => cells.reduce((sum, h) => sum + h[k], 0) / Math.max(1, cells.length));
}

function makeChart(box, settings, words, onSeek) {
  const draw = box.querySelector(".draw"), cursor = box.querySelector(".cursor");
  const state = { plotly: null, drawn: -1, total: 2, listening: false, finished: false };
  const small = window.innerWidth < 600 || (navigator.hardwareConcurrency || 8) <= 4;
  const every = small ? settings.everySmall : settings.every;
  const css = name => getComputedStyle(box).getPropertyValue(name).trim();

  function layout() {
    const ink = css("--body-text-color-subdued"), line = css("--border-color-primary");
    const axis = { color: ink, gridcolor: line, zeroline: false, fixedrange: true, tickfont: { size: 11 } };
    return {
      margin: CHART_MARGIN, showlegend: false, hovermode: "x unified", dragmode: false, autosize: true,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", uirevision: "keep",
      font: { family: css("--font"), color: ink, size: 11 },
      hoverlabel: { bgcolor: css("--background-fill-primary"), bordercolor: line, font: { color: css("--body-text-color") } },
      xaxis: { ...axis, range: [1, Math.max(2, state.total)], showgrid: false, nticks: 9, tickformat: "d",
        ...(state.total <= 9 ? { tick0: 1, dtick: 1 } : {}) },
      yaxis: { ...axis, range: [0, 1], tickformat: ".0%", tickvals: [0, 0.5, 1] },
    };
  }

  function traces(steps, experts, hues) {
    const means = steps.map(step => meanShares(step, "h", experts));
    return experts.map((expert, k) => ({
      type: "scatter", mode: "lines", stackgroup: "one", name: plain(expert.title), x: means.map((_, i) => i + 1),
      y: means.map(m => m[k]), line: { width: 1.5, color: hues[k] }, fillcolor: hues[k] + "8c",
      hovertemplate: "%{y:.0%}",
    }));
  }

  // To start plotly takes half a second: better while nothing moves than at the first steps of the first answer.
  (window.requestIdleCallback || (work => setTimeout(work, 1000)))(() => loadPlotly(settings.src).catch(() => {}));

  // Plotly reads a few tags and $...$ in names; a title shows as it is.
  function plain(text) { return String(text).replace(/[<>$&]/g, " "); }

  return {
    reset(total) { state.drawn = -1; state.total = total; cursor.hidden = true; if (state.plotly) state.plotly.purge(draw); },
    update(steps, experts, hues, finished) {
      const due = state.drawn < 0 ? Math.min(every, 2) : state.drawn + every;
      if (!steps.length || state.drawn === steps.length && finished === state.finished || (!finished && steps.length < due)) return;
      state.drawn = steps.length; state.finished = finished;
      if (finished) state.total = steps.length;
      loadPlotly(settings.src).then(plotly => {
        state.plotly = plotly;
        plotly.react(draw, traces(steps, experts, hues), layout(), { displayModeBar: false, responsive: true });
        box.dataset.drawn = steps.length;
        if (state.listening) return;
        state.listening = true;
        draw.on("plotly_click", event => onSeek(event.points[0].x - 1));
      }).catch(() => { draw.textContent = words.chartMissing; });
    },
    restyle() { state.drawn = -1; },
    mark(index) {
      cursor.hidden = state.drawn < 1;
      const share = index / Math.max(1, state.total - 1);
      cursor.style.left = `calc(${CHART_MARGIN.l}px + (100% - ${CHART_MARGIN.l + CHART_MARGIN.r}px) * ${Math.min(1, share)})`;
    },
  };
}
