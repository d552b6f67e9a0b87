// What the page shows while it sounds: figures that the audio thread gives, once per frame of the screen.
const spectrogram = new Spectrogram($("spectrogram"), facts.palette);
const pitch = new Curve($("pitch"), PITCH_NOTES), loudness = new Curve($("loudness"), LOUDNESS_DB);
const costs = new Costs($("chips"), facts.chips);
const silence = new Float32Array(N_OPERATORS);
let buffer = new Float32Array(STATS.length + viewSize(facts.nVoices));
let shown = readView(buffer), lastSeconds = performance.now() / 1000;

function show(view) {
  const seconds = performance.now() / 1000, [first] = view.voices;
  if (isCurrent(view)) {
    showProgram(models.instrumentOf(view.program));
    showKind(models.kindOf(view.program));
    document.querySelector(`[name=mode][value=${view.isMono ? "mono" : "poly"}]`).checked = true;
    if (document.activeElement !== $("volume")) $("volume").value = view.volume;
    showTune(view.tuneBlock);
    showInput(view);
  }
  algorithm.show(first && models.instrumentOf(first.preset) === program ? first.levels : silence);
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
showKind(0);
setMode(facts.instruments[0].isSolo);
report(Engine.missing());
if (Engine.missing()) $("start").disabled = true;
else follow();
