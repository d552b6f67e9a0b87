// The card "Let it play": the demo phrase and the transport of a MIDI file.
let tune = null, tuneFile = null, isTunePlaying = false, isSeeking = false;

$("demo").addEventListener("click", () => withSound(() => {
  stopLive();
  playTune(false);
  engine.send({ do: "demo" });
}));

// Plays a channel of a MIDI file, or all but the drums.
function openTune(data, name, channel = null) {
  try {
    tune = readMidiFile(data, channel);
  } catch (error) {
    report(`${name} cannot be played: ${error.message}. Export it again as a Standard MIDI File.`);
    return;
  }
  tuneFile = { data, name };
  report("");
  engine.send({ do: "load", tune }); // stops the one before
  if (tune.hasChords) setMode(false);
  showDefaults();
  isTunePlaying = false;
  $("tune").hidden = false;
  $("tune-name").textContent = `${name}: ${tuneText(tune)}`;
  showChannels(channel);
  withSound(() => playTune(true));
}

function tuneText({ nNotes, nDrums, nOutside, nUnended, isPedalLeft }) {
  const leftOut = [
    nDrums && `${countNotes(nDrums)} of drums`, nOutside && `${countNotes(nOutside)} outside the range of the firmware`,
  ].filter(Boolean);
  const parts = [countNotes(nNotes)];
  if (leftOut.length) parts.push(`not played: ${leftOut.join(", ")}`);
  if (nUnended) parts.push(`${countNotes(nUnended)} without an end`);
  if (isPedalLeft) parts.push("a pedal is never lifted");
  return parts.join("; ");
}

function countNotes(number) {
  return `${number} ${number === 1 ? "note" : "notes"}`;
}

// Offers the channels of the tune if there are several.
function showChannels(chosen) {
  const hasDrums = tune.channels.some(({ channel }) => channel === DRUM_CHANNEL);
  const options = tune.channels.map(({ channel, nNotes }) => [
    `channel ${channel}${channel === DRUM_CHANNEL ? " (drums)" : ""}, ${countNotes(nNotes)}`, channel,
  ]);
  options.unshift([hasDrums ? "all channels but the drums" : "all channels", ""]);
  const elements = options.map(([text, value]) => new Option(text, value, false, value === (chosen ?? "")));
  $("tune-channel").replaceChildren(...elements);
  $("tune-channels").hidden = tune.channels.length < 2;
}

$("tune-channel").addEventListener("change", ({ target: { value } }) => {
  openTune(tuneFile.data, tuneFile.name, Number(value) || null);
});

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
