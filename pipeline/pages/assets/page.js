// The listening page: tables of players that share one transport.
"use strict";

const catalogue = JSON.parse(document.getElementById("catalogue").textContent);
const players = [...document.querySelectorAll(".player")];
const transport = document.getElementById("transport");
const [toggle, seeker, clock, loopBox, title, choices, message] = [
  ".toggle", ".seeker", ".clock", ".loop", ".title", ".choices", ".message",
].map((selector) => transport.querySelector(selector));

let mixer = null; // created on the first user gesture, before which browsers block audio
let take = null; // entry of the catalogue that is loaded
let request = 0; // number of the latest request; results of earlier, slower loads are dropped
const places = new Map(); // last position of each take

async function choose(nextTake, system, play = true) {
  mixer ??= makeMixer();
  if (nextTake !== take) {
    if (take) places.set(take, mixer.position);
    mixer.load(new Map());
    take = nextTake;
    const mine = ++request;
    mixer.select(system);
    show();
    try {
      const buffers = await loadTake(mixer.context, take.id);
      if (mine !== request) return;
      mixer.load(buffers, places.get(take) ?? 0);
    } catch (error) {
      message.textContent = error.message;
      return;
    }
  } else {
    mixer.select(system);
  }
  message.textContent = "";
  if (play) start();
  show();
}

function makeMixer() {
  const made = new Mixer(new AudioContext({ sampleRate: SAMPLE_RATE, latencyHint: "interactive" }));
  made.onend = show;
  made.setLoop(loopBox.checked);
  made.context.resume();
  return made;
}

function start() {
  mixer.context.resume(); // the browser may have suspended it
  mixer.play();
  requestAnimationFrame(draw);
}

function playOrPause() {
  if (!mixer?.buffers.size) {
    const first = players.find((player) => !player.hidden);
    if (first && !take) choose(takeOf(first), first.dataset.system);
  } else if (mixer.playing) {
    mixer.stop();
  } else {
    start();
  }
  show();
}

function seek(seconds) {
  if (!mixer?.buffers.size) return;
  mixer.seek(seconds);
  show();
}

function takeOf(player) {
  return catalogue.find(({ id }) => id === player.dataset.take);
}

// --- display -------------------------------------------------------------------------------------

function draw() {
  if (!mixer) return;
  const share = mixer.duration ? mixer.position / mixer.duration : 0;
  document.documentElement.style.setProperty("--now", share);
  seeker.value = Math.round(1000 * share);
  seeker.ariaValueText = `${mixer.position.toFixed(1)} seconds`;
  clock.textContent = `${formatTime(mixer.position)} / ${formatTime(mixer.duration)}`;
  if (mixer.playing) requestAnimationFrame(draw);
}

function show() {
  const playing = Boolean(mixer?.playing);
  transport.hidden = !take;
  document.body.classList.toggle("with-transport", Boolean(take));
  if (!take) return;
  title.textContent = `${take.instrument}, ${take.title}`;
  toggle.ariaLabel = playing ? "Pause" : "Play";
  toggle.classList.toggle("playing", playing);
  if (choices.dataset.take !== take.id) {
    choices.dataset.take = take.id;
    choices.replaceChildren(
      ...take.systems.map(({ system, label, key }) => {
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.system = system;
        button.innerHTML = `<kbd>${key}</kbd>`;
        button.append(label);
        button.addEventListener("click", () => choose(take, system));
        return button;
      }),
    );
  }
  for (const button of choices.children) {
    const heard = button.dataset.system === mixer.system;
    if (heard && button.ariaPressed !== "true") {
      choices.scrollTo({ left: button.offsetLeft - choices.clientWidth / 3, behavior: "smooth" });
    }
    button.ariaPressed = String(heard);
  }
  for (const player of players) {
    const shared = player.dataset.take === take.id;
    const heard = shared && player.dataset.system === mixer.system;
    player.classList.toggle("shared", shared);
    player.classList.toggle("heard", heard);
    const button = player.querySelector("button");
    button.classList.toggle("playing", heard && playing);
    button.ariaPressed = String(heard && playing);
  }
  draw();
}

function showTake(id) {
  const chosen = catalogue.find((entry) => entry.id === id);
  for (const player of players) {
    if (takeOf(player).instrument === chosen.instrument) player.hidden = player.dataset.take !== id;
  }
  for (const picker of document.querySelectorAll("select.takes")) {
    if ([...picker.options].some((option) => option.value === id)) picker.value = id;
  }
}

// --- events --------------------------------------------------------------------------------------

for (const player of players) {
  player.querySelector("button").addEventListener("click", () => {
    if (player.classList.contains("heard") && mixer?.playing) playOrPause();
    else choose(takeOf(player), player.dataset.system);
  });
  player.querySelector(".tracks").addEventListener("click", async (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    await choose(takeOf(player), player.dataset.system, false);
    seek(share * mixer.duration);
    start();
    show();
  });
}
for (const picker of document.querySelectorAll("select.takes")) {
  picker.addEventListener("change", () => {
    showTake(picker.value);
    const chosen = catalogue.find(({ id }) => id === picker.value);
    const same = take && take.instrument === chosen.instrument && take !== chosen;
    if (same && chosen.systems.some(({ system }) => system === mixer.system)) {
      choose(chosen, mixer.system, mixer.playing);
    }
  });
}
toggle.addEventListener("click", playOrPause);
seeker.addEventListener("input", () => seek((seeker.value / 1000) * mixer.duration));
loopBox.addEventListener("change", () => mixer?.setLoop(loopBox.checked));

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const onControl = event.target.closest("button, input, select, a, summary");
  const key = onControl?.matches("select") ? "" : event.key.toUpperCase(); // lists use keys
  const chosen = take?.systems.find((candidate) => candidate.key === key);
  if (event.key === " " && !onControl) {
    event.preventDefault();
    playOrPause();
  } else if (chosen) {
    choose(take, chosen.system, mixer.playing);
  } else if (mixer && !onControl && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
    event.preventDefault();
    seek(mixer.position + (event.key === "ArrowLeft" ? -1 : 1));
  } else if (key === "L") {
    loopBox.click();
  }
});
