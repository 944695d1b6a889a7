"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function draw() {
  const axis = { gridcolor: ink("--line"), zerolinecolor: ink("--line"), linecolor: ink("--line") };
  for (const place of document.querySelectorAll("[data-figure]")) {
    const figure = data.figures[place.dataset.figure];
    const layout = {
      margin: { l: 60, r: 20, t: 20, b: 50 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink("--ink"), family: getComputedStyle(document.body).fontFamily, size: 12 },
      legend: { orientation: "h", y: -0.18, yanchor: "top" },
      ...figure.layout,
    };
    if (figure.layout.height > 700) layout.legend = { orientation: "h", y: 1.01, yanchor: "bottom" };
    for (const name of ["xaxis", "yaxis", "yaxis2"])
      if (name in figure.layout) layout[name] = { ...axis, ...figure.layout[name] };
    Plotly.react(place, figure.data, layout, { responsive: true, displayModeBar: false });
  }
}

function timeline(canvas, readout) {
  const { cycles, hertz, tracks, layers, outside } = data.timeline;
  const left = 90, row = 30, context = canvas.getContext("2d");
  let from = 0, to = cycles;
  canvas.height = 40 + row * tracks.length;
  const name = (layer) => (layer < 0 ? outside : layers[layer]);
  const micro = (cycle) => (cycle / hertz) * 1e6;
  const width = () => canvas.clientWidth - left - 10;
  const cycleAt = (x) => from + ((x - left) / width()) * (to - from);

  function paint() {
    const scale = devicePixelRatio || 1, height = 40 + row * tracks.length;
    canvas.width = canvas.clientWidth * scale;
    canvas.height = height * scale;
    canvas.style.height = height + "px";
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.font = "12px sans-serif";
    context.textBaseline = "middle";
    const perPixel = width() / (to - from);
    tracks.forEach((track, place) => {
      const y = 6 + place * row;
      context.fillStyle = ink("--ink");
      context.fillText(track.label, 0, y + row / 2 - 3);
      context.fillStyle = ink("--card");
      context.fillRect(left, y, width(), row - 6);
      context.fillStyle = track.colour;
      for (const [start, end, layer] of track.spans) {
        if (end < from || start > to) continue;
        const x = Math.max(left, left + (start - from) * perPixel);
        const last = Math.min(left + width(), left + (end - from) * perPixel);
        context.globalAlpha = layer % 2 ? 0.65 : 1;
        context.fillRect(x, y, Math.max(last - x, 0.5), row - 6);
        if (last - x > 60) {
          context.globalAlpha = 1;
          context.save();
          context.beginPath();
          context.rect(x, y, last - x - 4, row - 6);
          context.clip();
          context.fillStyle = "#fff";
          context.fillText(name(layer), x + 4, y + row / 2 - 3);
          context.restore();
          context.fillStyle = track.colour;
        }
      }
      context.globalAlpha = 1;
    });
    const base = 6 + tracks.length * row;
    context.fillStyle = ink("--soft");
    const rough = micro(to - from) / 6, unit = 10 ** Math.floor(Math.log10(rough));
    const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= rough);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    for (let tick = Math.ceil(micro(from) / step); tick * step <= micro(to); tick++) {
      const x = left + ((tick * step - micro(from)) / micro(to - from)) * width();
      context.textAlign = x > left + width() - 30 ? "right" : "center";
      context.fillText((tick * step).toFixed(digits) + " µs", x, base + 12);
    }
    context.textAlign = "left";
  }
  function show(start, end) {
    const length = Math.min(Math.max(end - start, 50), cycles);
    from = Math.min(Math.max(start, 0), cycles - length);
    to = from + length;
    paint();
  }
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = cycleAt(event.offsetX), factor = Math.exp(event.deltaY * 0.002);
    show(at - (at - from) * factor, at + (to - at) * factor);
  }, { passive: false });
  const held = new Map();
  canvas.addEventListener("pointerdown", (event) => { held.set(event.pointerId, event.offsetX); canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointerup", (event) => held.delete(event.pointerId));
  canvas.addEventListener("pointercancel", (event) => held.delete(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (held.has(event.pointerId)) {
      const before = [...held.values()], old = held.get(event.pointerId);
      held.set(event.pointerId, event.offsetX);
      if (held.size === 1) {
        const moved = ((old - event.offsetX) / width()) * (to - from);
        show(from + moved, to + moved);
      } else {
        const now = [...held.values()], middle = cycleAt((now[0] + now[1]) / 2);
        const factor = Math.abs(before[0] - before[1]) / Math.max(Math.abs(now[0] - now[1]), 1);
        show(middle - (middle - from) * factor, middle + (to - middle) * factor);
      }
      return;
    }
    const track = tracks[Math.floor((event.offsetY - 6) / row)], at = cycleAt(event.offsetX);
    const span = track && track.spans.find(([start, end]) => start <= at && at < end);
    readout.textContent = span ? `${track.label}: ${name(span[2])}, ${micro(span[0]).toFixed(2)}–${micro(span[1]).toFixed(2)} µs (${(span[1] - span[0]).toLocaleString()} cycles)` : "";
  });
  canvas.addEventListener("dblclick", () => show(0, cycles));
  canvas.addEventListener("keydown", (event) => {
    const step = (to - from) / 5;
    const moves = { ArrowLeft: [-step, -step], ArrowRight: [step, step], "+": [step, -step], "-": [-step, step] };
    if (event.key in moves) show(from + moves[event.key][0], to + moves[event.key][1]);
  });
  addEventListener("resize", paint);
  return paint;
}

function sortable(table) {
  const value = (cell) => {
    const number = parseFloat(cell.textContent.replaceAll(",", ""));
    return Number.isNaN(number) ? cell.textContent : number;
  };
  table.querySelectorAll("th").forEach((head, column) => head.addEventListener("click", () => {
    const down = (head.dataset.down = head.dataset.down === "1" ? "0" : "1") === "1";
    const body = table.tBodies[0], rows = [...body.rows];
    rows.sort((a, b) => {
      const [x, y] = [value(a.cells[column]), value(b.cells[column])];
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return down ? -order : order;
    });
    body.append(...rows);
  }));
}

const paint = timeline(document.querySelector(".timeline canvas"), document.querySelector(".timeline output"));
const repaint = () => { draw(); paint(); };
repaint();
dark.addEventListener("change", repaint);
const opened = [];
addEventListener("beforeprint", () => {
  opened.push(...document.querySelectorAll("details:not([open])"));
  for (const part of opened) part.open = true;
  repaint();
});
addEventListener("afterprint", () => {
  for (const part of opened.splice(0)) part.open = false;
  repaint();
});
document.querySelectorAll(".sortable").forEach(sortable);
document.documentElement.dataset.ready = "yes";
