// The instrument as the page sees it: starts the audio thread, sends it MIDI, and asks for figures.
class Engine extends EventTarget {
  // `workletCode` is the text of the scripts that run in the audio thread, `module` the bytes of the firmware,
  // `models` says which preset plays.
  constructor(workletCode, module, models) {
    super();
    this.models = models;
    this.workletCode = workletCode;
    this.module = module;
    this.context = this.node = this.starting = null;
    this.waiting = []; // messages from before the start
    this.nSent = 0; // messages so far; the audio thread says how many it has handled
    this.reply = this.keep = () => {};
  }

  // Says in one line why this browser cannot play; empty if it can.
  static missing() {
    if (!window.WebAssembly) return "This browser has no WebAssembly, so the instrument cannot run: use a newer one.";
    const has = window.AudioContext && window.AudioWorkletNode;
    return has ? "" : "This browser has no AudioWorklet, so the instrument cannot run: use a newer one.";
  }

  get isRunning() {
    return this.node !== null && this.context.state === "running";
  }

  // Starts the sound, or wakes it up. Browsers allow that only after a gesture.
  async start() {
    this.starting ??= this.open(makeContext());
    await this.starting;
    if (this.context.state !== "running") await this.context.resume();
  }

  // Connects the instrument to a context; tests pass an OfflineAudioContext.
  async open(context) {
    this.context = context;
    await addModule(context, this.workletCode);
    const options = { numberOfInputs: 1, outputChannelCount: [2], processorOptions: { module: this.module } };
    const node = new AudioWorkletNode(context, "instrument", options);
    node.onprocessorerror = () => this.report("The firmware stopped because of an error: reload the page.");
    node.port.onmessage = ({ data }) => (data instanceof Float32Array ? this.reply(data) : this.keep(data));
    node.connect(context.destination);
    this.node = node;
    for (const message of this.waiting.splice(0)) node.port.postMessage(...message);
    context.onstatechange = () => {
      this.send({ do: "resetClock" });
      this.dispatchEvent(new Event("state"));
    };
    this.dispatchEvent(new Event("state"));
  }

  report(text) {
    this.dispatchEvent(new CustomEvent("trouble", { detail: text }));
  }

  send(message, transfer = []) {
    this.nSent++;
    if (this.node) this.node.port.postMessage(message, transfer);
    else this.waiting.push([message, transfer]);
  }

  // Plays MIDI bytes. `event` is what caused them, to measure the delay until they are heard. With `isEverywhere`,
  // they act on all channels.
  midi(bytes, event, isEverywhere = false) {
    const sentMs = event ? performance.timeOrigin + event.timeStamp : 0;
    this.send({ do: "midi", bytes: Uint8Array.from(this.models.translated(bytes)), sentMs, isEverywhere });
    this.dispatchEvent(new CustomEvent("midi", { detail: bytes }));
  }

  // Lets another kind of model play, also the keys that are down.
  compare(kind, instrument) {
    this.models.kind = kind;
    this.send({ do: "choose", preset: this.models.preset(instrument) });
  }

  // Moves a controller or the bend of the page, which act on every keyboard's channel.
  control(number, value) {
    this.midi([0xb0, number, value], null, true);
  }

  bend(value) {
    this.midi([0xe0, value & 127, value >> 7], null, true);
  }

  // Fills `buffer` with the figures of the audio thread; resolves to a buffer of the same size.
  look(buffer) {
    return new Promise((resolve) => {
      this.reply = resolve;
      this.send({ do: "look", buffer }, [buffer.buffer]);
    });
  }

  // Ends the recording; resolves to { samples, nSamples }.
  takeRecording() {
    return new Promise((resolve) => {
      this.keep = resolve;
      this.send({ do: "stopRecording" });
    });
  }

  // Seconds between the audio thread and the ear, as far as the browser knows.
  get outputSeconds() {
    return this.context ? this.context.outputLatency || this.context.baseLatency || 0 : 0;
  }
}

// Chromium loads no blob into the audio thread of a page from the disk; other browsers may refuse data.
async function addModule(context, code) {
  try {
    await context.audioWorklet.addModule(`data:text/javascript;charset=utf-8,${encodeURIComponent(code)}`);
  } catch {
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    await context.audioWorklet.addModule(url);
    URL.revokeObjectURL(url);
  }
}

// The firmware plays at 48 kHz. A browser that cannot takes the rate of the device, and the audio thread converts.
function makeContext() {
  try {
    return new AudioContext({ latencyHint: "interactive", sampleRate: 48000 });
  } catch {
    return new AudioContext({ latencyHint: "interactive" });
  }
}
