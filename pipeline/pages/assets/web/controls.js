// The controls of the stage: instrument, sliders, switches, piano and the computer's keys.
const piano = new Piano($("piano"), {
  press(note, velocity, event) {
    withSound();
    stopLive();
    engine.midi([0x90, note, velocity], event);
  },
  release(note, event) {
    engine.midi([0x80, note, 0], event);
  },
});
let algorithm, program = -1, kind = -1, lastChoice = 0;

// Lets a choice stand until the audio thread knows it. Otherwise the controls follow what that says, because
// MIDI keyboards change it, too, and tunes end.
function touched() {
  lastChoice = engine.nSent;
}

function isCurrent(view) {
  return view.handled >= lastChoice;
}

// Fills a fieldset with a radio button per label; `choose` is called with the number of the chosen one.
function addChoices(place, name, labels, choose) {
  labels.forEach((label, number) => {
    const choice = document.createElement("label");
    choice.innerHTML = `<input type="radio" name="${name}" value="${number}"><span></span>`;
    choice.lastChild.textContent = label;
    choice.firstChild.addEventListener("change", () => {
      choose(number);
      touched();
    });
    place.append(choice);
  });
}

addChoices($("instruments"), "program", facts.instruments.map(({ label }) => label), (number) => {
  engine.midi([0xc0, number]);
  showProgram(number);
  setMode(facts.instruments[number].isSolo);
});
addChoices($("kinds"), "kind", facts.kinds.map(({ label }) => label), (number) => {
  engine.compare(number, program);
  showKind(number);
});
$("compare").hidden = $("comparing").hidden = facts.kinds.length < 2;

function showProgram(number) {
  if (number === program) return;
  program = number;
  const { svg, note, range } = facts.instruments[number];
  document.querySelector(`[name=program][value="${number}"]`).checked = true;
  algorithm = new Algorithm($("algorithm").firstElementChild, svg, facts.maxLevel);
  piano.move(note, range);
  showRange();
}

function showKind(number) {
  if (number === kind) return;
  kind = models.kind = number;
  document.querySelector(`[name=kind][value="${number}"]`).checked = true;
  $("kind").textContent = facts.kinds[number].detail;
}

// One note at a time, which slur, or chords.
function setMode(isSolo) {
  document.querySelector(`[name=mode][value=${isSolo ? "mono" : "poly"}]`).checked = true;
  engine.control(isSolo ? 126 : 127, 0);
  touched();
}

function showRange() {
  $("range").textContent = noteName(piano.typed);
}

function shiftOctave(semitones) {
  piano.letAll();
  piano.move(piano.typed + semitones);
  showRange();
}

$("lower").addEventListener("click", () => shiftOctave(-12));
$("higher").addEventListener("click", () => shiftOctave(12));
for (const radio of document.querySelectorAll("[name=mode]")) {
  radio.addEventListener("change", () => setMode(radio.value === "mono"));
}
$("volume").addEventListener("input", ({ target }) => engine.control(7, Number(target.value)));
$("vibrato").addEventListener("input", ({ target }) => engine.control(1, Number(target.value)));
$("glide").addEventListener("input", ({ target: { value } }) => {
  engine.control(5, Number(value));
  engine.control(65, value > 0 ? 127 : 0);
});
$("bend").addEventListener("input", ({ target }) => engine.bend(Number(target.value)));
for (const kind of ["change", "pointerup", "blur"]) {
  $("bend").addEventListener(kind, ({ target }) => {
    target.value = 8192; // springs back, as a wheel does
    engine.bend(8192);
  });
}
$("reverb").addEventListener("change", ({ target }) => engine.send({ do: "reverb", isOn: target.checked }));
$("noise").addEventListener("change", ({ target }) => engine.send({ do: "noise", isOn: target.checked }));
$("sustain").addEventListener("change", ({ target }) => engine.control(64, target.checked ? 127 : 0));
$("reset").addEventListener("click", () => {
  stopLive();
  playTune(false);
  engine.send({ do: "panic" });
  showDefaults();
  engine.control(121, 0);
  engine.control(7, 100);
  engine.control(65, 0);
});

function showDefaults() {
  for (const [id, value] of [["volume", 100], ["vibrato", 48], ["glide", 0]]) $(id).value = value;
  $("sustain").checked = false;
}

$("reverb").checked = facts.hasReverb;
$("reverb").parentElement.hidden = !facts.hasReverb;

function playsKeys({ target, ctrlKey, altKey, metaKey }) {
  return !(ctrlKey || altKey || metaKey || target.closest?.("select, input[type=text]"));
}

document.addEventListener("keydown", (event) => {
  if (!playsKeys(event)) return;
  if (piano.type(event)) return;
  if (event.code === "KeyZ" && !event.repeat) shiftOctave(-12);
  if (event.code === "KeyX" && !event.repeat) shiftOctave(12);
  if (event.code === "Space" && !event.target.closest("button:not([data-note]), input, label")) {
    event.preventDefault();
    if (!event.repeat) setSustain(true);
  }
});
document.addEventListener("keyup", (event) => {
  if (piano.type(event)) return;
  if (event.code === "Space" && $("sustain").checked) setSustain(false);
});

function setSustain(isDown) {
  $("sustain").checked = isDown;
  engine.control(64, isDown ? 127 : 0);
}
