// The listening test, following ITU-R BS.1534 (MUSHRA): the systems include a hidden reference and
// anchors, are labelled with letters in random order, and are rated from 0 to 100. The ratings
// are saved as a CSV file.
"use strict";

const LETTERS = "ABCDEFGHIJKLMNOPQSTUVWXYZ"; // without R, the key of the reference
const COLUMNS = ["listener", "date", "trial", "instrument", "take", "system", "letter", "rating"];

const byId = (id) => document.getElementById(id);
const catalogue = JSON.parse(byId("catalogue").textContent)
  .filter(({ systems }) => systems.length > 3); // a test needs more than reference and anchors
const date = new Date().toISOString().slice(0, 19);
const [toggle, seeker, clock, message] = [".toggle", ".seeker", ".clock", ".message"].map(
  (selector) => byId("trial").querySelector(selector),
);
const rows = []; // rows of the CSV file
let mixer = null;
let trials = [];
let trial = -1;
let stimuli = []; // stimuli of the current trial in the order of their letters

function shuffled(values) {
  const order = [...values];
  for (let i = order.length - 1; i > 0; i--) {
    const [random] = crypto.getRandomValues(new Uint32Array(1));
    const j = Math.floor((random / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

// --- start ---------------------------------------------------------------------------------------

function chosenTakes() {
  const boxes = [...byId("instruments").querySelectorAll("input")];
  const names = boxes.filter(({ checked }) => checked).map(({ value }) => value);
  return catalogue.filter(({ instrument }) => names.includes(instrument));
}

function showExtent() {
  const takes = chosenTakes();
  const ratings = takes.reduce((sum, { systems }) => sum + systems.length, 0);
  byId("extent").textContent = takes.length
    ? `${takes.length} pages, ${ratings} ratings, about ${Math.ceil(ratings / 4)} minutes.`
    : catalogue.length
      ? "Choose at least one instrument."
      : "There are no models to rate: train one and write this page again.";
  byId("start").querySelector("button").disabled = !takes.length;
}

for (const instrument of new Set(catalogue.map((take) => take.instrument))) {
  const label = document.createElement("label");
  const box = Object.assign(document.createElement("input"), {
    type: "checkbox", value: instrument, checked: true, onchange: showExtent,
  });
  label.append(box, instrument);
  byId("instruments").append(label);
}
showExtent();

byId("start").addEventListener("submit", (event) => {
  event.preventDefault();
  mixer = new Mixer(new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: "interactive" }));
  mixer.setLoop(true);
  mixer.context.resume();
  trials = shuffled(chosenTakes());
  byId("intro").hidden = true;
  byId("trial").hidden = false;
  addEventListener("beforeunload", warn);
  nextTrial();
});

function warn(event) {
  event.preventDefault(); // makes the browser ask before it discards the ratings
}

// --- a trial -------------------------------------------------------------------------------------

async function nextTrial() {
  trial += 1;
  mixer.load(new Map());
  if (trial === trials.length) return finish();
  const take = trials[trial];
  byId("trial-title").textContent = `${take.instrument}, ${trial + 1} of ${trials.length}`;
  byId("next").textContent = trial + 1 < trials.length ? "Next" : "Finish";
  stimuli = shuffled(take.systems).map(({ system }, index) =>
    makeStimulus(system, LETTERS[index]),
  );
  byId("stimuli").replaceChildren(...stimuli.map(({ item }) => item));
  byId("trial-title").focus();
  hear("reference", null);
  try {
    mixer.load(await loadTake(mixer.context, take.id));
    message.textContent = "";
  } catch (error) {
    message.textContent = error.message;
  }
  show();
}

function makeStimulus(system, letter) {
  const item = document.createElement("li");
  item.innerHTML = `<button type="button" class="stimulus">${letter}</button>
    <input type="range" min="0" max="100" value="50" aria-label="Rating of ${letter}">
    <output>–</output>`;
  const [button, slider, output] = item.children;
  const stimulus = { system, letter, item, button, slider, heard: false, rated: false };
  button.addEventListener("click", () => hear(system, stimulus, true));
  slider.addEventListener("input", () => {
    stimulus.rated = true;
    item.className = "rated";
    output.textContent = slider.value;
    show();
  });
  return stimulus;
}

// Selects the system that is heard: a stimulus, or the open reference (null).
function hear(system, stimulus, play = false) {
  byId("reference").ariaPressed = String(stimulus === null);
  for (const other of stimuli) other.button.ariaPressed = String(other === stimulus);
  mixer.select(system);
  if (play) start();
}

function start() {
  mixer.context.resume();
  mixer.play();
  requestAnimationFrame(draw);
  show();
}

function draw() {
  seeker.value = mixer.duration ? Math.round((1000 * mixer.position) / mixer.duration) : 0;
  clock.textContent = `${formatTime(mixer.position)} / ${formatTime(mixer.duration)}`;
  if (mixer.playing) requestAnimationFrame(draw);
}

function show() {
  const current = stimuli.find(({ button }) => button.ariaPressed === "true");
  if (current && mixer.playing) current.heard = true;
  toggle.classList.toggle("playing", mixer.playing);
  toggle.ariaLabel = mixer.playing ? "Pause" : "Play";
  const left = [
    ["listen to", stimuli.filter(({ heard }) => !heard)],
    ["rate", stimuli.filter(({ rated }) => !rated)],
  ].filter(([, open]) => open.length);
  const words = left.map(([verb, open]) => `${verb} ${open.map(({ letter }) => letter).join(", ")}`);
  byId("remaining").textContent = words.length ? `Still to do: ${words.join("; ")}.` : "";
  byId("next").disabled = words.length > 0;
  draw();
}

function playOrPause() {
  if (mixer.playing) mixer.stop();
  else start();
  show();
}

byId("reference").addEventListener("click", () => hear("reference", null, true));
toggle.addEventListener("click", playOrPause);
seeker.addEventListener("input", () => {
  mixer.seek((seeker.value / 1000) * mixer.duration);
  show();
});
byId("next").addEventListener("click", () => {
  const take = trials[trial];
  for (const { system, letter, slider } of stimuli) {
    rows.push([
      byId("listener").value.trim() || "anonymous", date, trial + 1,
      take.instrument.toLowerCase(), take.title, system, letter, slider.value,
    ]);
  }
  nextTrial();
});
document.addEventListener("keydown", (event) => {
  if (byId("trial").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  const letter = event.key.toUpperCase();
  const stimulus = stimuli.find((candidate) => candidate.letter === letter);
  if (stimulus) {
    hear(stimulus.system, stimulus, true);
    stimulus.slider.focus();
  } else if (letter === "R") {
    hear("reference", null, true);
  } else if (event.key === " " && !event.target.closest("button, a")) {
    event.preventDefault();
    playOrPause();
  }
});

// --- finish --------------------------------------------------------------------------------------

function quoted(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function finish() {
  removeEventListener("beforeunload", warn);
  byId("trial").hidden = true;
  byId("finish").hidden = false;
  const csv = [COLUMNS, ...rows].map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
  byId("csv").textContent = csv;
  const name = (byId("listener").value.trim() || "anonymous").replace(/[^\p{L}\p{N}]+/gu, "_");
  const link = byId("download");
  link.href = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
  link.download = `ratings_${name}_${date.replace(/[-:]/g, "")}.csv`;
  byId("finish-title").focus();
}
