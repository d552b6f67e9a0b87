// The beginning of the instrument page: the engine, how it starts, and what goes wrong.
const $ = (id) => document.getElementById(id);
const facts = JSON.parse($("facts").textContent);
const decode = (base64) => Uint8Array.from(atob(base64.trim()), (character) => character.charCodeAt(0));
const models = new Models(facts.instruments);
const engine = new Engine($("worklet").textContent, decode($("module").textContent), models);

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
