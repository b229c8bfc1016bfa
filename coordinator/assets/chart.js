// Images a minute, and the time that was left at that pace, over the time of the run.
"use strict";
(() => {
  const place = document.getElementById("chart");
  let plot = null, number = 0, data = null;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const human = (s) => {
    if (s == null) return "–";
    if (s < 60) return `${Math.round(s)} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
  };
  const size = () => ({ width: Math.max(200, place.clientWidth), height: 200 });
  // Times as people say them, a handful on the axis.
  const steps = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 18000, 36000, 86400, 172800, 432000, 864000];
  const draw = () => {
    if (plot) plot.destroy();
    place.replaceChildren();
    const axis = { stroke: colour("--dim"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, font: "11px system-ui, sans-serif" };
    plot = new uPlot({
      ...size(),
      cursor: { y: false, points: { size: 6 } },
      scales: { y: { range: (u, min, max) => [0, max > 0 ? max * 1.1 : 1] }, left: { range: (u, min, max) => [0, max > 0 ? max * 1.1 : 60] } },
      series: [
        { label: "Time", value: (u, v) => v == null ? "–" : new Date(v * 1000).toLocaleString(undefined, { dateStyle: "short", timeStyle: "short" }) },
        { label: "Images / min", stroke: colour("--accent"), fill: colour("--accent-soft"), width: 1.75, points: { show: false }, value: (u, v) => v == null ? "–" : v.toFixed(1) },
        { label: "ETA then", scale: "left", stroke: colour("--quarantined"), width: 1.5, dash: [5, 4], points: { show: false }, value: (u, v) => human(v) },
      ],
      axes: [
        { ...axis },
        { ...axis, size: (u, ticks) => 24 + 7 * Math.max(3, ...(ticks || []).map((tick) => String(tick || "").length)) },
        { ...axis, scale: "left", side: 1, size: 66, grid: { show: false }, incrs: steps, values: (u, ticks) => ticks.map(human) },
      ],
    }, data, place);
  };
  const load = async () => {
    const mine = ++number;
    const answer = await fetch(place.dataset.history, { credentials: "same-origin" });
    if (!answer.ok || mine !== number) return;
    const history = await answer.json();
    if (history.at.length === 0) return;
    data = [history.at, history.per_minute, history.left];
    if (plot && plot.root.isConnected) plot.setData(data); else draw();
  };
  const quietly = () => { if (place && place.isConnected) load().catch(() => {}); };
  if (!place || typeof uPlot === "undefined") return;
  document.addEventListener("refreshed", quietly);
  document.addEventListener("recoloured", () => { if (plot) draw(); });
  new ResizeObserver(() => { if (plot) plot.setSize(size()); }).observe(place);
  quietly();
})();
