// The instrument page: connects the controls with the engine, and shows what sounds.
const $ = (id) => document.getElementById(id);
const facts = JSON.parse($("facts").textContent);
const decode = (base64) => Uint8Array.from(atob(base64.trim()), (character) => character.charCodeAt(0));
const engine = new Engine($("worklet").textContent, decode($("module").textContent));

// --- messages to the reader ---------------------------------------------------------------------------

function report(text) {
  $("trouble").textContent = text;
}

// Runs what a gesture asks for, once the sound is on; troubles become one line.
async function withSound(action = () => {}) {
  try {
    await engine.start();
    await action();
  } catch (error) {
    report(error.message);
  }
}

engine.addEventListener("trouble", ({ detail }) => report(detail));
engine.addEventListener("state", () => {
  const { context, isRunning } = engine;
  $("start").classList.toggle("on", isRunning);
  $("start").textContent = isRunning ? "The sound is on" : "Turn on the sound";
  $("rate").textContent = `${(context.sampleRate / 1000).toFixed(1).replace(".0", "")} kHz`;
  if (context.state === "interrupted") report("Another program took the sound: press a key to take it back.");
  else if (isRunning) report("");
  if (!spectrogram.analyser) spectrogram.attach(context, engine.node);
});
$("start").addEventListener("click", () => withSound());

// --- instrument and controls --------------------------------------------------------------------------

const spectrogram = new Spectrogram($("spectrogram"), facts.palette);
const pitch = new Curve($("pitch"), PITCH_NOTES), loudness = new Curve($("loudness"), LOUDNESS_DB);
const costs = new Costs($("chips"), facts.chips);
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
let algorithm, program = -1, touchedMs = 0;

// Lets a choice stand until the audio thread knows it; the controls follow that, too, for MIDI keyboards.
function touched() {
  touchedMs = performance.now();
}

facts.presets.forEach(({ label }, number) => {
  const choice = document.createElement("label");
  choice.innerHTML = `<input type="radio" name="program" value="${number}"><span></span>`;
  choice.lastChild.textContent = label;
  choice.firstChild.addEventListener("change", () => {
    touched();
    engine.midi([0xc0, number]);
    showProgram(number);
  });
  $("instruments").append(choice);
});

function showProgram(number) {
  if (number === program) return;
  program = number;
  const preset = facts.presets[number];
  document.querySelector(`[name=program][value="${number}"]`).checked = true;
  algorithm = new Algorithm($("algorithm").firstElementChild, preset);
  piano.move(preset.note);
  showRange();
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
  radio.addEventListener("change", () => {
    touched();
    engine.control(radio.value === "mono" ? 126 : 127, 0);
  });
}
$("volume").addEventListener("input", ({ target }) => engine.control(7, Number(target.value)));
$("vibrato").addEventListener("input", ({ target }) => engine.control(1, Number(target.value)));
$("glide").addEventListener("input", ({ target: { value } }) => {
  engine.control(5, Number(value));
  engine.control(65, value > 0 ? 127 : 0);
});
$("bend").addEventListener("input", ({ target: { value } }) => engine.midi([0xe0, value & 127, value >> 7]));
for (const kind of ["change", "pointerup", "blur"]) {
  $("bend").addEventListener(kind, ({ target }) => {
    target.value = 8192; // springs back, as a wheel does
    engine.midi([0xe0, 0, 64]);
  });
}
$("reverb").addEventListener("change", ({ target }) => engine.send({ do: "reverb", isOn: target.checked }));
$("sustain").addEventListener("change", ({ target }) => engine.control(64, target.checked ? 127 : 0));
$("reset").addEventListener("click", () => {
  stopLive();
  playTune(false);
  engine.send({ do: "panic" });
  for (const [id, value] of [["volume", 100], ["vibrato", 48], ["glide", 0]]) $(id).value = value;
  engine.control(121, 0);
  engine.control(7, 100);
  engine.control(65, 0);
  $("sustain").checked = false;
});
$("reverb").checked = facts.hasReverb;
$("reverb").parentElement.hidden = !facts.hasReverb;

// --- the computer's keys ------------------------------------------------------------------------------

function playsKeys({ target, ctrlKey, altKey, metaKey }) {
  return !(ctrlKey || altKey || metaKey || target.closest?.("select, input[type=text]"));
}

document.addEventListener("keydown", (event) => {
  if (!playsKeys(event)) return;
  if (piano.type(event)) return;
  if (event.code === "KeyZ" && !event.repeat) shiftOctave(-12);
  if (event.code === "KeyX" && !event.repeat) shiftOctave(12);
  if (event.code === "Space" && !event.target.closest("button, input, label, summary")) {
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

// --- tunes --------------------------------------------------------------------------------------------

let tune = null, isTunePlaying = false, isSeeking = false;

$("demo").addEventListener("click", () => withSound(() => {
  stopLive();
  playTune(false);
  engine.send({ do: "demo" });
}));

function openTune(data, name) {
  try {
    tune = readMidiFile(data);
  } catch (error) {
    report(`${name} cannot be played: ${error.message}. Export it again as a Standard MIDI File.`);
    return;
  }
  report("");
  engine.send({ do: "load", tune });
  $("tune").hidden = false;
  $("tune-name").textContent = `${name}: ${tune.nNotes} notes`;
  withSound(() => playTune(true));
}

function playTune(isOn) {
  if (!tune || isOn === isTunePlaying) return;
  if (isOn) stopLive();
  if (isOn && $("tune-place").value >= 1000) engine.send({ do: "seek", block: 0 });
  isTunePlaying = isOn;
  engine.send({ do: "play", isOn });
  showTransport();
}

function showTransport() {
  $("tune-toggle").classList.toggle("playing", isTunePlaying);
  $("tune-toggle").setAttribute("aria-label", isTunePlaying ? "Pause" : "Play");
}

function showTune(block) {
  if (!tune) return;
  if (isTunePlaying && block < 0) {
    isTunePlaying = false;
    showTransport();
    $("tune-place").value = 1000;
  }
  if (block >= 0 && !isSeeking) $("tune-place").value = (1000 * block) / FRAME_RATE / tune.seconds;
  const seconds = ($("tune-place").value / 1000) * tune.seconds;
  $("tune-clock").textContent = `${clockText(seconds)} / ${clockText(tune.seconds)}`;
}

function clockText(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

$("tune-toggle").addEventListener("click", () => withSound(() => playTune(!isTunePlaying)));
$("tune-place").addEventListener("input", () => (isSeeking = true));
$("tune-place").addEventListener("change", ({ target }) => {
  isSeeking = false;
  engine.send({ do: "seek", block: Math.round((target.value / 1000) * tune.seconds * FRAME_RATE) });
});

// --- live input ---------------------------------------------------------------------------------------

const live = new LiveInput(engine);
let isLive = false, isRecording = false, recordingName = "";

function sendLive(source) {
  const gainDb = $("auto-gain").checked ? null : Number($("gain").value);
  const message = { do: "live", isOn: isLive, ratio: Number($("shift").value), gainDb };
  engine.send(source ? { ...message, source } : message);
}

function setLive(isOn, source) {
  isLive = isOn;
  isRecording = Boolean(source);
  sendLive(source);
  const isMicrophone = isLive && !isRecording;
  $("microphone").setAttribute("aria-pressed", isMicrophone);
  $("microphone").textContent = isMicrophone ? "Stop" : "Use the microphone";
}

function stopLive() {
  if (!isLive) return;
  live.close();
  setLive(false);
  $("heard").textContent = "";
}

$("microphone").addEventListener("click", () => {
  if (isLive && !isRecording) return stopLive();
  return withSound(async () => {
    playTune(false);
    await live.open();
    report("");
    setLive(true);
  });
});

async function openRecording(data, name) {
  let samples;
  try {
    samples = await readRecording(data);
  } catch (error) {
    report(`${name} cannot be followed: ${error.message}.`);
    return;
  }
  report("");
  recordingName = name;
  await withSound(() => {
    stopLive();
    playTune(false);
    setLive(true, samples);
  });
}

for (const id of ["shift", "gain"]) $(id).addEventListener("input", () => sendLive());
$("auto-gain").addEventListener("change", ({ target }) => {
  $("gain").disabled = target.checked;
  sendLive();
});

function showInput(view) {
  if (isRecording && view.sourceBlock < 0) stopLive();
  $("input").value = isLive ? view.loudnessDb : -80;
  if (!isLive) return;
  if ($("auto-gain").checked) $("gain").value = view.gainDb;
  const note = Math.round(69 + 12 * Math.log2(view.f0Hz / 440));
  const isClear = view.loudnessDb > -55 && view.aperiodicity < 0.4;
  const heard = isClear ? `hears ${noteName(note)}` : "hears no clear note";
  $("heard").textContent = isRecording ? `${recordingName}: ${heard}` : heard;
}

// --- files --------------------------------------------------------------------------------------------

async function openFile(file) {
  const data = await file.arrayBuffer();
  const isMidi = /\.midi?$/i.test(file.name) || /midi/.test(file.type);
  if (isMidi) openTune(data, file.name);
  else await openRecording(data, file.name);
}

for (const id of ["midi-file", "recording"]) {
  $(id).addEventListener("change", ({ target }) => {
    if (target.files[0]) openFile(target.files[0]);
    target.value = ""; // so that the same file can be chosen again
  });
}
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("hovering");
});
document.addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) document.body.classList.remove("hovering");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("hovering");
  if (event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]);
});

// --- MIDI ---------------------------------------------------------------------------------------------

const midiInput = new MidiInput({
  play(bytes, event) {
    withSound();
    engine.midi(bytes, event);
  },
  show(text, isTrouble = false) {
    $("midi-state").textContent = text;
    $("midi-state").classList.toggle("message", isTrouble);
  },
});
$("connect").addEventListener("click", () => midiInput.connect());

// --- pictures -----------------------------------------------------------------------------------------

const silence = new Float32Array(N_OPERATORS);
let buffer = new Float32Array(STATS.length + viewSize(facts.nVoices));
let shown = readView(buffer), lastSeconds = performance.now() / 1000;

function show(view) {
  const seconds = performance.now() / 1000, [first] = view.voices;
  if (performance.now() - touchedMs > 300) {
    showProgram(view.program);
    document.querySelector(`[name=mode][value=${view.isMono ? "mono" : "poly"}]`).checked = true;
  }
  if (document.activeElement !== $("volume")) $("volume").value = view.volume;
  algorithm.show(first && first.preset === program ? first.levels : silence);
  pitch.add(seconds, first ? first.note : NaN);
  loudness.add(seconds, first ? first.loudnessDb : NaN);
  spectrogram.add(seconds - lastSeconds);
  lastSeconds = seconds;
  piano.show(new Map(view.voices.map(({ note, loudnessDb }) => [
    Math.round(note), Math.max(0, Math.min(1, 1 + loudnessDb / 60)),
  ]).reverse()));
  $("now").textContent = first ? describe(first) : "silent";
  costs.show(view.voices.map(({ preset }) => preset));
  $("voices").textContent = `${view.voices.length} of ${facts.nVoices}`;
  $("stolen").textContent = view.stolen;
  $("load").textContent = `${(100 * view.load).toFixed(0)} %`;
  $("underruns").textContent = view.underruns + view.lateInput;
  const delayMs = view.delayMs && view.delayMs + 1000 * engine.outputSeconds;
  $("latency").textContent = delayMs ? `${Math.round(delayMs)} ms` : "–";
  showTune(view.tuneBlock);
  showInput(view);
}

function describe({ note, f0Hz, loudnessDb }) {
  const nearest = Math.round(note), cents = Math.round(100 * (note - nearest));
  const off = Math.abs(cents) > 4 ? ` ${cents > 0 ? "+" : "−"}${Math.abs(cents)} cents` : "";
  return `${noteName(nearest)}${off} · ${f0Hz.toFixed(0)} Hz · ${loudnessDb.toFixed(0).replace("-", "−")} dB`;
}

async function follow() {
  if (engine.isRunning) {
    buffer = await engine.look(buffer);
    shown = readView(buffer);
    show(shown);
  }
  requestAnimationFrame(follow);
}

showProgram(0);
report(Engine.missing());
if (Engine.missing()) $("start").disabled = true;
else follow();
