// The card "Record": records what sounds, and offers the files.
const recorder = new Recorder(engine);

$("record").addEventListener("click", () => withSound(async () => {
  if (recorder.isOn) offer(await recorder.stop());
  else {
    $("kept").replaceChildren();
    recorder.start();
  }
  $("record").setAttribute("aria-pressed", recorder.isOn);
  $("record").textContent = recorder.isOn ? "Stop" : "Record";
}));

function offer({ wav, midi, seconds }) {
  const files = [["Save the sound", "instrument.wav", "audio/wav", wav], ["Save the notes", "instrument.mid", "audio/midi", midi]];
  $("kept").replaceChildren(...files.filter(([, , , bytes]) => bytes).map(([text, name, type, bytes]) => {
    const link = document.createElement("a");
    Object.assign(link, { textContent: text, className: "button plain", download: name });
    link.href = URL.createObjectURL(new Blob([bytes], { type }));
    return link;
  }));
  $("kept-state").textContent = `${seconds.toFixed(1)} s`;
}
