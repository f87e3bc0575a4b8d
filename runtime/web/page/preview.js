"use strict";
// The picture and its people come in one stream, so that they belong together; people are drawn here, so that every
// viewer chooses what to see and the board encodes each picture once.
(() => {
  const $ = (id) => document.getElementById(id);
  const token = new URLSearchParams(location.search).get("token");
  const headers = token ? { Authorization: "Bearer " + token } : {};
  const KEPT = 300;             // samples in the charts, one a second
  const AGAIN = 1000;           // milliseconds until the next try
  const SILENCE = 7000;         // milliseconds without a sign of life: the stream is taken for lost

  // What this viewer wants to see.
  const wanted = { threshold: 0.05, hidden: [], source: 0 };
  try { Object.assign(wanted, JSON.parse(localStorage.getItem("wholebody") || "{}")); } catch (_) { /* private window */ }
  const keep = () => { try { localStorage.setItem("wholebody", JSON.stringify(wanted)); } catch (_) { /* as above */ } };
  const shows = (name) => !wanted.hidden.includes(name);

  let skeleton = null;
  let shown = null;             // {image, message}: what is on the canvas
  let paused = false;
  let stream = null;            // AbortController of the one that runs
  const view = window.wholebodyView = { frames: 0, people: 0, samples: 0 };  // for whoever looks from outside

  const text = (id, value) => { if ($(id).textContent !== value) $(id).textContent = value; };
  const state = (kind, words) => { $("state").dataset.state = kind; text("state", words); };
  const ask = async (path) => {
    const answer = await fetch(path, { headers, cache: "no-store" });
    if (!answer.ok) throw new Error(await answer.text());
    return answer;
  };
  const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

  // ---- drawing, by the rules of --overlay

  function baseSize(keypoints, width, height) {
    let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
    for (const [x, y, score] of keypoints) {
      if (score > 0.1) { left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y); }
    }
    if (right < left) return 0;
    const ratio = Math.min(1, Math.max((right - left) / width, (bottom - top) / height));
    return Math.max(Math.sqrt(width * height) / 75 * ratio, 2);
  }

  function visible(person) {
    const seen = person.keypoints.map(([, , score], k) => score > Math.max(wanted.threshold, skeleton.thresholds[k]));
    const drawn = new Set();
    for (const [name, indices] of Object.entries(skeleton.parts)) if (shows("part:" + name)) indices.forEach((k) => drawn.add(k));
    const known = new Set(Object.values(skeleton.parts).flat());
    return seen.map((yes, k) => yes && (drawn.has(k) || !known.has(k)));
  }

  function drawPerson(pen, person, message) {
    const base = baseSize(person.keypoints, message.width, message.height);
    if (!base) return;
    const seen = visible(person);
    pen.lineCap = "round";
    for (const [first, second] of skeleton.limbs) {
      if (!seen[first] || !seen[second] || !(skeleton.scales[second] > 0)) continue;
      pen.strokeStyle = skeleton.colors[second];
      pen.lineWidth = Math.max(1, 0.75 * base * skeleton.scales[second]);
      pen.beginPath();
      pen.moveTo(person.keypoints[first][0], person.keypoints[first][1]);
      pen.lineTo(person.keypoints[second][0], person.keypoints[second][1]);
      pen.stroke();
    }
    person.keypoints.forEach(([x, y], k) => {
      if (!seen[k] || !(skeleton.scales[k] > 0)) return;
      pen.fillStyle = skeleton.colors[k];
      pen.beginPath();
      pen.arc(x, y, Math.max(1, base * skeleton.scales[k]), 0, 2 * Math.PI);
      pen.fill();
    });
  }

  function drawBox(pen, person, number, message) {
    const [left, top, right, bottom] = person.box;
    const size = Math.max(message.width, message.height) / 55;
    const label = (person.id === undefined ? "" : "#" + person.id + "  ") + Math.round(100 * Math.min(person.score, 1)) + " %";
    pen.lineWidth = size / 9;
    pen.strokeStyle = "#fff";
    pen.strokeRect(left, top, right - left, bottom - top);
    pen.font = "600 " + size + "px system-ui, sans-serif";
    pen.textBaseline = "bottom";
    pen.fillStyle = "rgb(0 0 0 / 60%)";
    const y = Math.max(top, 1.4 * size);
    pen.fillRect(left, y - 1.4 * size, pen.measureText(label).width + size, 1.4 * size);
    pen.fillStyle = "#fff";
    pen.fillText(label, left + size / 2, y - 0.1 * size);
  }

  function draw() {
    if (!shown || !skeleton) return;
    const { image, message } = shown, canvas = $("picture");
    // A small picture is drawn larger, so that lines are as sharp as the screen.
    const fine = Math.min(3, Math.max(1, Math.ceil(canvas.clientWidth * devicePixelRatio / image.width)));
    const width = image.width * fine, height = image.height * fine;
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    const pen = canvas.getContext("2d", { alpha: false });
    pen.setTransform(1, 0, 0, 1, 0, 0);
    if (shows("picture")) pen.drawImage(image, 0, 0, width, height);
    else { pen.fillStyle = "#000"; pen.fillRect(0, 0, width, height); }
    pen.scale(width / message.width, height / message.height);
    message.people.forEach((person, number) => {
      if (shows("boxes")) drawBox(pen, person, number, message);
      drawPerson(pen, person, message);
    });
    const count = message.people.length;
    text("caption", (paused ? "paused · " : "") + "frame " + message.index + " · " + message.width + "×" + message.height + " · " +
         (count === 1 ? "1 person" : count + " people") + " · " + message.latency_ms.toFixed(0) + " ms");
  }

  // ---- the stream: two lengths, JSON, JPEG

  async function follow(source) {
    const mine = stream = new AbortController();
    let heard = performance.now();
    const guard = setInterval(() => { if (performance.now() - heard > SILENCE) mine.abort(); }, 1000);
    try {
      const answer = await fetch("/api/stream?source=" + source, { headers, signal: mine.signal, cache: "no-store" });
      if (!answer.ok) throw new Error(await answer.text());
      const reader = answer.body.getReader();
      let held = new Uint8Array(0), busy = false, next = null;
      const show = async () => {
        if (busy) return;
        busy = true;
        while (next && !paused && stream === mine) {
          const { message, jpeg } = next;
          next = null;
          const image = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
          if (paused || stream !== mine) break;
          if (shown) shown.image.close();
          shown = { image, message };
          view.frames += 1;
          view.people = message.people.length;
          draw();
        }
        busy = false;
      };
      for (;;) {
        const { done, value } = await reader.read();
        if (done) throw new Error("the run has ended");
        heard = performance.now();
        const joined = new Uint8Array(held.length + value.length);
        joined.set(held); joined.set(value, held.length);
        let at = 0;
        for (;;) {
          if (joined.length - at < 8) break;
          const lengths = new DataView(joined.buffer, at, 8), words = lengths.getUint32(0), bytes = lengths.getUint32(4);
          if (joined.length - at < 8 + words + bytes) break;
          if (words) {
            next = { message: JSON.parse(new TextDecoder().decode(joined.subarray(at + 8, at + 8 + words))),
                     jpeg: joined.slice(at + 8 + words, at + 8 + words + bytes) };
          }
          at += 8 + words + bytes;
        }
        held = joined.slice(at);
        show();
      }
    } finally {
      clearInterval(guard);
    }
  }

  async function keepFollowing() {
    for (;;) {
      while (paused || document.hidden) await pause(100);
      try { await follow(wanted.source); } catch (_) { /* told by the figures */ }
      if (!paused) await pause(stream && stream.signal.aborted ? 0 : AGAIN);
    }
  }

  const leave = () => { if (stream) stream.abort(); };

  // ---- charts

  const charts = [];
  const samples = [];
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = (value) => value === null || value === undefined ? "–" : value >= 100 ? value.toFixed(0) : value.toFixed(1);

  // `rows` names the lines and says their values of a sample; stacked ones are filled, one on top of the other.
  function addChart(title, unit, rows, options = {}) {
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
      drawChart(chart);
    };
    for (const kind of ["pointermove", "pointerdown", "pointerleave"]) canvas.addEventListener(kind, look);
    $("charts").append(card);
    charts.push(chart);
  }

  const AXIS = 34;              // pixels at the right, for the scale

  function roundUp(value) {
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= value * 1.0001) * power;
  }

  function drawChart(chart) {
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
    const top = roundUp(Math.max(options.least || 1, ...tops)), plot = width - AXIS;
    const span = Math.max(60, Math.min(KEPT, samples.length)) - 1;
    const x = (i) => plot * (1 - (samples.length - 1 - i) / span), y = (value) => height - 1 - (height - 8) * value / top;
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.fillStyle = colour("--soft");
    pen.lineWidth = 1;
    for (const mark of [0, 0.5, 1]) {
      pen.strokeStyle = colour("--grid");
      const level = Math.round(y(mark * top)) - 0.5;
      pen.beginPath(); pen.moveTo(0, level); pen.lineTo(plot, level); pen.stroke();
      pen.fillText(String(+(mark * top).toPrecision(3)), plot + 6, Math.min(height - 6, Math.max(6, level)));
    }
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
      pen.beginPath(); pen.moveTo(x(at), 4); pen.lineTo(x(at), height); pen.stroke();
    }
    const ago = samples[samples.length - 1].seconds - samples[at].seconds;
    chart.value.textContent = (ago >= 1 ? ago.toFixed(0) + " s ago: " : "") +
      (options.stacked ? short(tops[at]) : lines.length === 1 ? short(lines[0][at]) : "");
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

  const drawCharts = () => { if (!document.hidden && samples.length) charts.forEach(drawChart); };

  function stages() {
    const names = [];
    for (const sample of samples) for (const name of Object.keys(sample.stage_ms)) if (!names.includes(name)) names.push(name);
    return names;
  }

  addChart("Frames a second", "", { fps: (s) => s.fps });
  addChart("Capture to result", "ms", { "p50": (s) => s.latency_ms.p50, "p95": (s) => s.latency_ms.p95 });
  addChart("Stages", "ms", (s, name) => s.stage_ms[name], { stacked: true, names: stages });
  addChart("People", "", { people: (s) => s.people }, { least: 4 });
  addChart("Hottest sensor", "°C", { hottest: (s) => s.hottest_c }, { least: 60, missing: "this machine has no sensor that tells" });
  addChart("Power", "W", { board: (s) => s.total_mw === null ? null : s.total_mw / 1000 },
           { least: 5, missing: "this machine does not measure it" });

  function clock(seconds) {
    const whole = Math.floor(seconds), two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(whole / 3600);
    return (hours ? hours + ":" + two(Math.floor(whole / 60) % 60) : Math.floor(whole / 60)) + ":" + two(whole % 60);
  }

  function tell(now) {
    const last = samples[samples.length - 1];
    if (last && now.seconds < last.seconds) samples.length = 0;  // another run at the same address
    if (!samples.length || now.seconds > last.seconds) {
      samples.push({ seconds: now.seconds, fps: now.fps, people: now.people, latency_ms: now.latency_ms, stage_ms: now.stage_ms,
                     hottest_c: now.board.hottest_c, total_mw: now.board.total_mw });
      if (samples.length > KEPT) samples.shift();
    }
    view.samples = samples.length;
    text("tile-fps", now.fps.toFixed(1));
    text("tile-latency", now.latency_ms.p50 === null ? "–" : now.latency_ms.p50.toFixed(0) + " ms");
    text("tile-people", String(now.people));
    text("tile-dropped", String(now.dropped));
    text("tile-seconds", clock(now.seconds));
    const still = now.sources.filter((source) => source.still).map((source) => source.name);
    if (paused) state("wait", "paused");
    else if (still.length) state("lost", still.join(", ") + " stands still");
    else if (!now.fps) state("wait", "no frames");
    else state("live", "live");
  }

  async function keepAsking() {
    for (;;) {
      try {
        if (!skeleton) await begin();
        tell(await (await ask("/api/status")).json());
        drawCharts();
      } catch (_) {
        state("lost", samples.length ? "the run has ended, or cannot be reached" : "cannot be reached");
        skeleton = null;        // whoever answers next may be another run
      }
      do await pause(AGAIN); while (document.hidden);
    }
  }

  // ---- controls

  function addChip(name, label, on) {
    const chip = document.createElement("label"), box = document.createElement("input");
    chip.className = "chip";
    box.type = "checkbox";
    box.id = "show-" + name.replace(":", "-");
    if (!on && !wanted.hidden.includes(name) && !wanted.touched) wanted.hidden.push(name);
    box.checked = shows(name);
    box.addEventListener("change", () => {
      wanted.touched = true;
      wanted.hidden = wanted.hidden.filter((other) => other !== name).concat(box.checked ? [] : [name]);
      keep();
      draw();
    });
    chip.append(box, label);
    $("parts").append(chip);
  }

  async function begin() {
    const setup = await (await ask("/api/setup")).json();
    skeleton = setup.skeleton;
    $("source").replaceChildren(...setup.sources.map((name, number) => new Option(setup.sources.length > 1 ? number + ": " + name : name, number)));
    if (!(wanted.source < setup.sources.length)) wanted.source = 0;
    $("source").value = wanted.source;
    $("source").disabled = setup.sources.length < 2;
    document.title = setup.sources.join(", ") + " – wholebody";
    $("parts").querySelectorAll(".chip").forEach((chip) => chip.remove());
    addChip("picture", "picture", true);
    for (const name of Object.keys(skeleton.parts)) addChip("part:" + name, name.replace("_", " "), true);
    addChip("boxes", "boxes", false);
    samples.splice(0, samples.length, ...await (await ask("/api/history")).json());
  }

  function setPaused(now) {
    paused = now;
    $("pause").setAttribute("aria-pressed", String(now));
    text("pause", now ? "Go on" : "Pause");
    if (now) { state("wait", "paused"); leave(); }
    draw();
  }

  function snapshot() {
    if (!shown) return;
    const { message } = shown;
    $("picture").toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = "wholebody-" + wanted.source + "-" + message.index + ".png";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), AGAIN);
    }, "image/png");
  }

  $("pause").addEventListener("click", () => setPaused(!paused));
  $("snapshot").addEventListener("click", snapshot);
  $("threshold").value = wanted.threshold;
  text("threshold-value", Number(wanted.threshold).toFixed(2));
  $("threshold").addEventListener("input", () => {
    wanted.threshold = Number($("threshold").value);
    text("threshold-value", wanted.threshold.toFixed(2));
    keep();
    draw();
  });
  $("source").addEventListener("change", () => { wanted.source = Number($("source").value); keep(); setPaused(false); leave(); });
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input, select, button") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") { event.preventDefault(); setPaused(!paused); }
    if (event.key === "s") snapshot();
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden) leave(); else drawCharts(); });
  window.addEventListener("resize", () => { drawCharts(); draw(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);

  keepFollowing();
  keepAsking();
})();
