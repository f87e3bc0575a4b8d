"use strict";
// Small charts of one sample a second, the newest at the right; a pointer reads older ones.
const Charts = (() => {
  const KEPT = 300;
  const samples = [];
  const place = document.getElementById("charts");
  const charts = [];
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = (value) => value === null || value === undefined ? "–" : value >= 100 ? value.toFixed(0) : value.toFixed(1);

  // `rows` names the lines and says their values of a sample; stacked ones are filled, one on top of the other.
  function add(title, unit, rows, options = {}) {
    const card = document.createElement("article");
    card.className = "chart";
    card.innerHTML = "<h2></h2><canvas></canvas><ul></ul><p></p>";
    const heading = card.querySelector("h2"), name = document.createElement("span"), value = document.createElement("output");
    name.textContent = title + (unit ? ", " + unit : "");
    heading.append(name, value);
    card.querySelector("p").textContent = options.missing || "nothing yet";
    const canvas = card.querySelector("canvas");
    canvas.setAttribute("aria-label", title);
    const chart = { card, canvas, value, list: card.querySelector("ul"), rows, options, at: null };
    const look = (event) => {
      const box = canvas.getBoundingClientRect();
      chart.at = event.type === "pointerleave" ? null : Math.min(1, Math.max(0, (event.clientX - box.left) / (box.width - AXIS)));
      drawOne(chart);
    };
    for (const kind of ["pointermove", "pointerdown", "pointerleave"]) canvas.addEventListener(kind, look);
    place.append(card);
    charts.push(chart);
  }

  const AXIS = 34, FOOT = 15;   // pixels at the right and below, for the scales
  const ago = (seconds) => seconds < 120 ? "−" + Math.round(seconds) + " s" : "−" + (seconds / 60).toFixed(1) + " min";

  function roundUp(value) {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15].find((step) => step * power >= value * 1.0001) * power;
  }

  function drawOne(chart) {
    const { canvas, options } = chart;
    const names = options.names ? options.names() : Object.keys(chart.rows);
    const lines = names.map((name) => samples.map((sample) => options.names ? chart.rows(sample, name) : chart.rows[name](sample)));
    const known = lines.some((line) => line.some((value) => value !== null && value !== undefined));
    chart.card.toggleAttribute("data-empty", !known);
    if (!known) { chart.value.textContent = ""; chart.list.replaceChildren(); return; }
    const ratio = devicePixelRatio, width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio)) { canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio); }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const tops = samples.map((_, i) => lines.reduce((sum, line) => options.stacked ? sum + (line[i] || 0) : Math.max(sum, line[i] || 0), 0));
    const rounded = roundUp(Math.max(options.least || 1, ...tops)), top = options.whole ? 2 * Math.ceil(rounded / 2) : rounded;
    const plot = width - AXIS;
    const span = Math.max(60, samples.length - 1);
    const x = (i) => plot * (1 - (samples.length - 1 - i) / span), floor = height - FOOT;
    const y = (value) => floor - (floor - 7) * value / top;
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.fillStyle = colour("--soft");
    pen.lineWidth = 1;
    for (const mark of [0, 0.5, 1]) {
      pen.strokeStyle = colour("--grid");
      const level = Math.round(y(mark * top)) - 0.5;
      pen.beginPath(); pen.moveTo(0, level); pen.lineTo(plot, level); pen.stroke();
      pen.fillText(String(+(mark * top).toPrecision(3)), plot + 6, Math.max(6, level));
    }
    pen.fillText(ago(span), 0, height - 6);
    pen.textAlign = "right";
    pen.fillText("now", plot, height - 6);
    pen.textAlign = "left";
    const below = samples.map(() => 0);
    lines.forEach((line, n) => {
      const stroke = colour("--c" + n % 6);
      pen.beginPath();
      let on = false;
      line.forEach((value, i) => {
        if (value === null || value === undefined) { on = false; return; }
        const level = y(options.stacked ? below[i] + value : value);
        if (on) pen.lineTo(x(i), level); else pen.moveTo(x(i), level);
        on = true;
      });
      pen.strokeStyle = stroke; pen.lineWidth = 1.75; pen.lineJoin = "round"; pen.stroke();
      if (options.stacked) {
        pen.beginPath();
        line.forEach((value, i) => pen.lineTo(x(i), y(below[i] + (value || 0))));
        for (let i = line.length - 1; i >= 0; i--) pen.lineTo(x(i), y(below[i]));
        pen.closePath(); pen.globalAlpha = 0.28; pen.fillStyle = stroke; pen.fill(); pen.globalAlpha = 1;
        line.forEach((value, i) => { below[i] += value || 0; });
      }
    });
    let at = samples.length - 1;
    if (chart.at !== null) {
      at = Math.min(at, Math.max(0, Math.round(at - (1 - chart.at) * span)));
      pen.strokeStyle = colour("--soft"); pen.lineWidth = 1;
      pen.beginPath(); pen.moveTo(x(at), 4); pen.lineTo(x(at), floor); pen.stroke();
    }
    const back = samples[samples.length - 1].seconds - samples[at].seconds;
    const past = back >= 1 ? ago(back) : "";
    chart.value.textContent = lines.length > 1 && !options.stacked ? past : (past ? past + ": " : "") +
      (options.stacked ? short(tops[at]) : options.whole ? String(lines[0][at]) : short(lines[0][at]));
    if (lines.length > 1) {
      chart.list.replaceChildren(...names.map((name, n) => {
        const item = document.createElement("li"), mark = document.createElement("i"), figure = document.createElement("b");
        mark.style.background = "var(--c" + n % 6 + ")";
        figure.textContent = short(lines[n][at]);
        item.append(mark, name, figure);
        return item;
      }));
    }
  }

  function draw() { if (!document.hidden && samples.length) charts.forEach(drawOne); }

  return { KEPT, samples, add, draw, short };
})();
