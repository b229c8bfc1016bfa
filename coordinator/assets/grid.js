// Shards x styles: a band for each style, a cell for each of its shards, coloured and marked by state. The list below
// shows the same in words.
"use strict";
(() => {
  const place = document.getElementById("grid");
  if (!place) return;
  const NAMES = { o: "waiting", h: "in hand", r: "to be retried", d: "done", q: "some quarantined", f: "failed", x: "damaged" };
  const CLASSES = { o: "open", h: "in-hand", r: "retrying", d: "done", q: "quarantined", f: "failed", x: "damaged" };
  const COLOURS = { o: "--open", h: "--hand", r: "--retrying", d: "--done", q: "--quarantined-fill", f: "--failed-fill", x: "--failed-fill" };
  const SIGNS = { o: "", h: "▶", r: "↻", d: "", q: "!", f: "✕", x: "!" };
  const TITLE = 20, GAP = 8, SIDE = 12;
  const pane = document.createElement("div"), canvas = document.createElement("canvas"), room = document.createElement("div"), tell = document.createElement("div");
  pane.className = "pane"; pane.tabIndex = 0; room.className = "room"; tell.className = "tell";
  pane.setAttribute("role", "application");
  pane.setAttribute("aria-roledescription", "grid of shards");
  pane.setAttribute("aria-label", "Shards by style: arrow keys move, Enter opens a shard");
  tell.setAttribute("role", "status");
  tell.textContent = "\u00a0";
  pane.append(room, canvas);
  place.replaceChildren(pane, tell);

  let grid = null, bands = [], cell = 12, columns = 1, height = 0, at = null, number = 0;
  const context = canvas.getContext("2d");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const state = (band, index) => {
    const shard = band.shards[index], letter = grid.states[shard];
    // A shard with losses has them in some of its styles.
    return letter === "q" && !band.lost.has(shard) ? "d" : letter;
  };
  const total = (size) => {
    const across = Math.max(1, Math.floor((pane.clientWidth - 2 * SIDE) / size));
    return bands.reduce((sum, band) => sum + TITLE + Math.ceil(band.shards.length / across) * size + GAP, GAP);
  };
  const lay_out = () => {
    const wanted = place.dataset.style;
    bands = grid.styles.filter((style) => !wanted || style.name === wanted).map((style) => {
      const shards = [];
      for (const [first, length] of style.shards) for (let i = 0; i < length; i++) shards.push(first + i);
      return { name: style.name, shards, lost: new Set(style.quarantined), top: 0 };
    });
    cell = 24;
    while (cell > 6 && total(cell) > pane.clientHeight) cell -= 1;
    columns = Math.max(1, Math.floor((pane.clientWidth - 2 * SIDE) / cell));
    let y = GAP;
    for (const band of bands) { band.top = y + TITLE; y = band.top + Math.ceil(band.shards.length / columns) * cell + GAP; }
    height = y;
    room.style.height = `${height}px`;
    if (at && !(bands[at.band] && at.index < bands[at.band].shards.length)) at = null;
  };
  const draw = () => {
    if (!grid) return;
    const ratio = devicePixelRatio || 1, width = pane.clientWidth, shown = pane.clientHeight, top = pane.scrollTop;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(shown * ratio)) {
      canvas.width = Math.round(width * ratio); canvas.height = Math.round(shown * ratio);
      canvas.style.width = `${width}px`; canvas.style.height = `${shown}px`;
    }
    context.setTransform(ratio, 0, 0, ratio, 0, -top * ratio);
    context.clearRect(0, top, width, shown);
    const colours = Object.fromEntries(Object.entries(COLOURS).map(([letter, name]) => [letter, colour(name)]));
    const text = colour("--dim"), sign = colour("--card"), mark = colour("--text"), accent = colour("--accent");
    const only = place.dataset.state, inner = cell > 8 ? cell - 2 : cell - 1;
    bands.forEach((band, number) => {
      const bottom = band.top + Math.ceil(band.shards.length / columns) * cell;
      if (bottom < top || band.top - TITLE > top + shown) return;
      context.globalAlpha = 1;
      context.fillStyle = text;
      context.font = "12px system-ui, sans-serif";
      context.textAlign = "left"; context.textBaseline = "middle";
      context.fillText(band.name, SIDE, band.top - TITLE / 2);
      const from = Math.max(0, Math.floor((top - band.top) / cell)) * columns;
      const to = Math.min(band.shards.length, Math.ceil((top + shown - band.top) / cell) * columns);
      context.font = `${Math.round(cell * .55)}px system-ui, sans-serif`;
      context.textAlign = "center";
      for (let index = from; index < to; index++) {
        const letter = state(band, index), x = SIDE + (index % columns) * cell, y = band.top + Math.floor(index / columns) * cell;
        context.globalAlpha = only && CLASSES[letter] !== only ? .16 : 1;
        context.fillStyle = colours[letter];
        if (cell >= 12) { context.beginPath(); context.roundRect(x, y, inner, inner, 3); context.fill(); } else context.fillRect(x, y, inner, inner);
        if (cell >= 14 && SIGNS[letter]) { context.fillStyle = sign; context.fillText(SIGNS[letter], x + inner / 2, y + inner / 2 + .5); }
        // Too small for a sign: losses are told by a stroke and a dot.
        else if (letter === "f") { context.strokeStyle = sign; context.beginPath(); context.moveTo(x, y); context.lineTo(x + inner, y + inner); context.stroke(); }
        else if (letter === "q") { context.fillStyle = sign; context.fillRect(x + inner / 2 - 1, y + inner / 2 - 1, 2, 2); }
        if (at && at.band === number && at.index === index) {
          context.globalAlpha = 1; context.strokeStyle = document.activeElement === pane ? accent : mark; context.lineWidth = 2;
          context.strokeRect(x - 1, y - 1, inner + 2, inner + 2); context.lineWidth = 1;
        }
      }
      context.globalAlpha = 1;
    });
  };
  const describe = () => {
    if (!at) {
      const counts = {};
      for (const letter of grid.states) counts[letter] = (counts[letter] || 0) + 1;
      const said = Object.keys(NAMES).filter((letter) => counts[letter]).map((letter) => `${counts[letter].toLocaleString("en")} ${NAMES[letter]}`);
      tell.textContent = said.join(", ") || "no shards";
      return;
    }
    const band = bands[at.band], shard = String(band.shards[at.index]).padStart(6, "0");
    tell.textContent = `Shard ${shard}, ${band.name}: ${NAMES[state(band, at.index)]}`;
    pane.dataset.shard = shard;
  };
  const move_to = (band, index) => {
    at = { band, index };
    const y = bands[band].top + Math.floor(index / columns) * cell;
    if (y - TITLE < pane.scrollTop) pane.scrollTop = Math.max(0, y - TITLE - GAP);
    if (y + cell > pane.scrollTop + pane.clientHeight) pane.scrollTop = y + cell + GAP - pane.clientHeight;
    describe(); draw();
  };
  const open = () => { if (at) location.assign(`/runs/${place.dataset.run}/shards/${String(bands[at.band].shards[at.index]).padStart(6, "0")}`); };
  pane.addEventListener("keydown", (event) => {
    if (!grid || bands.length === 0) return;
    if (event.key === "Enter") { open(); return; }
    if (event.key === "Escape") { at = null; describe(); draw(); return; }
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -Infinity, End: Infinity };
    const by = moves[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (!at) return move_to(0, 0);
    let { band, index } = at, last = bands[band].shards.length - 1, next = index + by;
    if (Math.abs(by) === Infinity) return move_to(band, by < 0 ? 0 : last);
    const column = index % columns;
    if (next > last) {
      const same_row = Math.floor(index / columns) === Math.floor(last / columns);
      if (by === columns && !same_row) next = last;
      else if (band + 1 < bands.length) { band += 1; next = by === 1 ? 0 : Math.min(column, bands[band].shards.length - 1); } else next = index;
    } else if (next < 0) {
      if (band > 0) { band -= 1; last = bands[band].shards.length - 1; next = by === -1 ? last : Math.min(last, Math.floor(last / columns) * columns + column); } else next = index;
    }
    move_to(band, next);
  });
  const under = (event) => {
    const box = pane.getBoundingClientRect(), x = event.clientX - box.left - SIDE, y = event.clientY - box.top + pane.scrollTop;
    for (let band = 0; band < bands.length; band++) {
      const row = Math.floor((y - bands[band].top) / cell), column = Math.floor(x / cell), index = row * columns + column;
      if (row >= 0 && column >= 0 && column < columns && index < bands[band].shards.length) return { band, index };
    }
    return null;
  };
  pane.addEventListener("pointermove", (event) => { if (grid && event.pointerType === "mouse") { at = under(event); pane.style.cursor = at ? "pointer" : ""; describe(); draw(); } });
  pane.addEventListener("pointerleave", () => { if (grid && document.activeElement !== pane) { at = null; describe(); draw(); } });
  pane.addEventListener("click", (event) => { if (grid) { at = under(event); open(); } });
  pane.addEventListener("focus", () => { if (grid && bands.length && !at && pane.matches(":focus-visible")) move_to(0, 0); else draw(); });
  pane.addEventListener("blur", () => { at = null; if (grid) { describe(); draw(); } });
  pane.addEventListener("scroll", draw, { passive: true });

  const again = () => { if (grid) { lay_out(); describe(); draw(); } };
  const load = async () => {
    const mine = ++number;
    const answer = await fetch(place.dataset.grid, { credentials: "same-origin" });
    if (!answer.ok || mine !== number) return;
    grid = await answer.json();
    place.dataset.drawn = String(Number(place.dataset.drawn || 0) + 1);
    again();
  };
  const quietly = () => { if (place.isConnected) { again(); load().catch(() => {}); } };
  document.addEventListener("refreshed", quietly);
  document.addEventListener("recoloured", draw);
  new ResizeObserver(again).observe(place);
  quietly();
})();
