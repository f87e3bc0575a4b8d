"use strict";
// People on a canvas, by the rules of --overlay: a viewer's own threshold and parts (`wanted`).
const People = (() => {
  function baseSize(keypoints, width, height) {
    let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
    for (const [x, y, score] of keypoints) {
      if (score > 0.1) { left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y); }
    }
    if (right < left) return 0;
    const ratio = Math.min(1, Math.max((right - left) / width, (bottom - top) / height));
    return Math.max(Math.sqrt(width * height) / 75 * ratio, 2);
  }

  function visible(person, skeleton, wanted) {
    const seen = person.keypoints.map(([, , score], k) => score > Math.max(wanted.threshold, skeleton.thresholds[k]));
    const drawn = new Set();
    for (const [name, indices] of Object.entries(skeleton.parts)) if (!wanted.hidden.includes("part:" + name)) indices.forEach((k) => drawn.add(k));
    const known = new Set(Object.values(skeleton.parts).flat());
    return seen.map((yes, k) => yes && (drawn.has(k) || !known.has(k)));
  }

  function drawPerson(pen, person, message, skeleton, wanted) {
    const base = baseSize(person.keypoints, message.width, message.height);
    if (!base) return;
    const seen = visible(person, skeleton, wanted);
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

  // Whoever is tracked has a number, also without a box.
  function drawBox(pen, person, message, boxed) {
    const [left, top, right, bottom] = person.box;
    const size = Math.max(message.width, message.height) / 55;
    const number = person.id >= 0 ? "#" + person.id : "";
    const label = boxed ? (number ? number + "  " : "") + Math.round(100 * Math.min(person.score, 1)) + " %" : number;
    if (!label) return;
    pen.lineWidth = size / 9;
    pen.strokeStyle = "#fff";
    if (boxed) pen.strokeRect(left, top, right - left, bottom - top);
    pen.font = "600 " + size + "px system-ui, sans-serif";
    pen.textBaseline = "bottom";
    pen.fillStyle = "rgb(0 0 0 / 60%)";
    const y = Math.max(top, 1.4 * size);
    pen.fillRect(left, y - 1.4 * size, pen.measureText(label).width + size, 1.4 * size);
    pen.fillStyle = "#fff";
    pen.fillText(label, left + size / 2, y - 0.1 * size);
  }

  // `shown` is {image, message}; the canvas takes the picture's size.
  function draw(canvas, shown, skeleton, wanted) {
    const { image, message } = shown, hides = (name) => wanted.hidden.includes(name);
    // A small picture is drawn larger, so that lines are as sharp as the screen.
    const fine = Math.min(3, Math.max(1, Math.ceil(canvas.clientWidth * devicePixelRatio / image.width)));
    const width = image.width * fine, height = image.height * fine;
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    const pen = canvas.getContext("2d", { alpha: false });
    pen.setTransform(1, 0, 0, 1, 0, 0);
    if (hides("picture")) { pen.fillStyle = "#000"; pen.fillRect(0, 0, width, height); }
    else pen.drawImage(image, 0, 0, width, height);
    pen.scale(width / message.width, height / message.height);
    for (const person of message.people) {
      drawPerson(pen, person, message, skeleton, wanted);
      drawBox(pen, person, message, !hides("boxes"));
    }
  }

  return { draw };
})();
