// Files that are chosen or dropped, and MIDI keyboards.
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

const midiInput = new MidiInput({
  play(bytes, event) {
    withSound();
    if (navigator.userActivation?.hasBeenActive === false) {
      report("Turn on the sound first: browsers wait for a click or a key before they play.");
    }
    engine.midi(bytes, event);
  },
  show(text, isTrouble = false) {
    $("midi-state").textContent = text;
    $("midi-state").classList.toggle("message", isTrouble);
  },
});
$("connect").addEventListener("click", () => midiInput.connect());
