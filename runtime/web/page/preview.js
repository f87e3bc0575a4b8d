"use strict";
// The picture and its people come in one stream, so that they belong together; people are drawn here, so that every
// viewer chooses what to see and the board encodes each picture once.
(() => {
  const $ = (id) => document.getElementById(id);
  const token = new URLSearchParams(location.search).get("token");
  const headers = token ? { Authorization: "Bearer " + token } : {};
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

  function draw() {
    if (!shown || !skeleton) return;
    const { message } = shown, count = message.people.length;
    People.draw($("picture"), shown, skeleton, wanted);
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

  // ---- figures

  const samples = Charts.samples;

  function stages() {
    const names = [];
    for (const sample of samples) for (const name of Object.keys(sample.stage_ms)) if (!names.includes(name)) names.push(name);
    return names;
  }

  Charts.add("Frames a second", "", { fps: (s) => s.fps });
  Charts.add("Capture to result", "ms", { "p50": (s) => s.latency_ms.p50, "p95": (s) => s.latency_ms.p95 });
  Charts.add("Stages", "ms", (s, name) => s.stage_ms[name], { stacked: true, names: stages });
  Charts.add("People", "", { people: (s) => s.people }, { least: 4, whole: true });
  Charts.add("Hottest sensor", "°C", { hottest: (s) => s.hottest_c }, { least: 60, missing: "this machine has no sensor that tells" });
  Charts.add("Power", "W", { board: (s) => s.total_mw === null ? null : s.total_mw / 1000 },
           { least: 5, missing: "this machine does not measure it" });

  function clock(seconds) {
    const whole = Math.floor(seconds), two = (n) => String(n).padStart(2, "0");
    const hours = Math.floor(whole / 3600);
    return (hours ? hours + ":" + two(Math.floor(whole / 60) % 60) : Math.floor(whole / 60)) + ":" + two(whole % 60);
  }

  function tell(now) {
    const last = samples[samples.length - 1];
    if (last && now.seconds < last.seconds) samples.length = 0;  // another run at the same address
    if (now.frames && (!samples.length || now.seconds > last.seconds)) {
      samples.push({ seconds: now.seconds, fps: now.fps, people: now.people, latency_ms: now.latency_ms, stage_ms: now.stage_ms,
                     hottest_c: now.board.hottest_c, total_mw: now.board.total_mw });
      if (samples.length > Charts.KEPT) samples.shift();
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
    else state("live", now.level ? "live, " + now.level : "live");
  }

  async function keepAsking() {
    for (;;) {
      try {
        if (!skeleton) await begin();
        const now = await (await ask("/api/status")).json(), last = samples[samples.length - 1];
        // What went by while nobody looked at this tab.
        if (last && now.seconds - last.seconds > 3) samples.splice(0, samples.length, ...await (await ask("/api/history")).json());
        tell(now);
        Charts.draw();
      } catch (_) {
        state("lost", view.frames ? "the run has ended, or cannot be reached" : "cannot be reached");
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
  document.addEventListener("visibilitychange", () => { if (document.hidden) leave(); else Charts.draw(); });
  window.addEventListener("resize", () => { Charts.draw(); draw(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", Charts.draw);

  keepFollowing();
  keepAsking();
})();
