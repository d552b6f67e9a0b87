// The card "Sing to it": the microphone or a recording, its level and its octave.
const live = new LiveInput(engine);
let isLive = false, isRecording = false, isOpening = false, recordingName = "";

function sendLive(source) {
  const gainDb = $("auto-gain").checked ? null : Number($("gain").value);
  const message = { do: "live", isOn: isLive, ratio: Number($("shift").value), gainDb };
  engine.send(source ? { ...message, source } : message);
}

function setLive(isOn, source) {
  isLive = isOn;
  isRecording = Boolean(source);
  sendLive(source);
  touched();
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
  if (isOpening) return undefined; // the browser still asks for permission
  isOpening = true;
  return withSound(async () => {
    await live.open();
    report("");
    playTune(false);
    if (isRecording) setLive(false);
    setLive(true);
  }).finally(() => (isOpening = false));
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
