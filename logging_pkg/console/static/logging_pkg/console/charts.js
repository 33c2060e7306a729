// Draws the charts of a page from the JSON in each. In: [data-chart]. Out: uPlot charts. Never: a request.
(() => {
  "use strict";
  const drawn = new Map();

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // As logging_pkg/console/numbers.py writes them.
  function text(value, unit) {
    if (value === null || value === undefined) return "–";
    if (unit === "ms") return value < 10 ? `${value.toFixed(1)} ms` : value < 1000 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(2)} s`;
    if (unit === "s") return text(value * 1000, "ms");
    if (unit === "ratio") return `${(100 * value).toFixed(value < 0.1 && value > 0 ? 1 : 0)} %`;
    if (unit === "bytes") {
      let rest = value, step = 0;
      while (rest >= 1024 && step < 4) { rest /= 1024; step += 1; }
      return `${rest.toFixed(rest < 10 && step ? 1 : 0)} ${["B", "KiB", "MiB", "GiB", "TiB"][step]}`;
    }
    if (unit === "/s") return `${value < 10 ? value.toFixed(2) : value.toFixed(0)}/s`;
    return value < 100 && value % 1 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
  }

  function moment(seconds, isLong) {
    const told = new Date(seconds * 1000).toISOString();
    return isLong ? `${told.slice(8, 10)}. ${told.slice(11, 16)}` : told.slice(11, 16);
  }

  function limitLine(limit) {
    return (plot) => {
      if (limit === null || limit > plot.scales.y.max || limit < plot.scales.y.min) return;
      const y = plot.valToPos(limit, "y", true), { left, width } = plot.bbox, context = plot.ctx;
      context.save();
      context.strokeStyle = colour("--bad");
      context.setLineDash([6, 5]);
      context.lineWidth = 1.5 * devicePixelRatio;
      context.beginPath();
      context.moveTo(left, y);
      context.lineTo(left + width, y);
      context.stroke();
      context.restore();
    };
  }

  function draw(element) {
    const data = JSON.parse(element.dataset.chart);
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "12px system-ui, sans-serif" };
    const options = {
      width: Math.max(200, element.clientWidth),
      height: 180,
      cursor: { drag: { x: false, y: false }, points: { size: 6 } },
      legend: { live: true },
      scales: { x: { time: true, range: () => [data.from, data.to] }, y: { range: (_plot, _low, high) => [0, (high || 1) * 1.08] } },
      axes: [
        { ...axis, space: 70, values: (_plot, ticks) => ticks.map((tick) => moment(tick, data.to - data.from > 86400)) },
        { ...axis, size: 62, values: (_plot, ticks) => ticks.map((tick) => text(tick, data.unit)) },
      ],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      series: [
        { label: "UTC", value: "{YYYY}-{MM}-{DD} {HH}:{mm}" },
        ...data.lines.map((line, place) => ({
          label: line.label,
          stroke: colour(`--s${(place % 8) + 1}`),
          width: 2,
          spanGaps: false,
          points: { show: data.times.length < 3 },
          value: (_plot, value) => text(value, data.unit),
        })),
      ],
      hooks: { draw: [limitLine(data.limit)] },
    };
    const plot = new uPlot(options, [data.times, ...data.lines.map((line) => line.values)], element);
    drawn.set(element, plot);
  }

  function drawAll() {
    for (const [element, plot] of drawn) {
      plot.destroy();
      drawn.delete(element);
    }
    if (window.uPlot) document.querySelectorAll("[data-chart]").forEach(draw);
  }

  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => drawn.forEach((plot, element) => plot.setSize({ width: element.clientWidth, height: 180 })), 100);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  document.addEventListener("logpipe:theme", drawAll);
  document.addEventListener("htmx:afterSwap", drawAll);
  document.addEventListener("DOMContentLoaded", drawAll);
})();
