// The card "Let it play": the demo phrase and the transport of a MIDI file.
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
  engine.send({ do: "load", tune }); // stops the one before
  if (tune.hasChords) setMode(false);
  showDefaults();
  isTunePlaying = false;
  $("tune").hidden = false;
  $("tune-name").textContent = `${name}: ${tune.nNotes} notes`;
  withSound(() => playTune(true));
}

function playTune(isOn) {
  if (!tune || isOn === isTunePlaying) return;
  if (isOn) stopLive();
  if (isOn && $("tune-place").value >= 1000) seek(0);
  isTunePlaying = isOn;
  engine.send({ do: "play", isOn });
  touched();
  showTransport();
}

function showTransport() {
  $("tune-toggle").classList.toggle("playing", isTunePlaying);
  $("tune-toggle").setAttribute("aria-label", isTunePlaying ? "Pause" : "Play");
}

function showTune(block) {
  if (!tune) return;
  if (isTunePlaying && block < 0) { // it has ended
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
  seek(Math.round((target.value / 1000) * tune.seconds * FRAME_RATE));
});

function seek(block) {
  engine.send({ do: "seek", block });
  showDefaults();
}
