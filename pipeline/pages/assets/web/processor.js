// The audio thread: renders blocks of 4 ms with the firmware and passes them to the context.
//
// Messages are handled between two calls of `process`. The page asks for figures with a buffer of its own, which
// comes back filled, so that no memory is allocated while sound is made. A block is a message's unit of time:
// bytes that arrive act on the next block, as on a board.
const WINDOW_SECONDS = 0.5; // of the clocks that are compared to find underruns
const INPUT_SAMPLES = 1024; // of the ring that holds live input
const DEFAULTS = [ // what the player starts with, as controllers: 121 resets expression, bend, vibrato and pedal
  ...[0xb0, 121, 0, 0xb0, 7, 100, 0xb0, 5, 0, 0xb0, 65, 0], // volume and portamento
  ...[0xb0, 101, 0, 0xb0, 100, 6, 0xb0, 6, 0], // no MPE zone
  ...[0xb0, 101, 0, 0xb0, 100, 1, 0xb0, 6, 64, 0xb0, 38, 0, 0xb0, 100, 2, 0xb0, 6, 64], // tuning
  ...[0xb0, 100, 0, 0xb0, 6, 2, 0xb0, 38, 0, 0xb0, 101, 127, 0xb0, 100, 127], // bend by 2 semitones
];
const clockMs = () => Date.now(); // the only clock of an audio thread that all browsers have

class InstrumentProcessor extends AudioWorkletProcessor {
  constructor({ processorOptions: { module } }) {
    super();
    const rate = sampleRate === 16000 ? 16000 : 48000; // those of the firmware
    this.synth = new Synth(module, rate);
    this.resampler = rate === sampleRate ? null : new Resampler(rate, sampleRate);
    this.used = this.synth.blockSamples; // of the current block
    this.tune = null; // { blocks, ends, bytes }: bytes before ends[i] arrive before blocks[i]
    this.tuneNext = this.tuneBlock = 0;
    this.isTunePlaying = false;
    this.source = null; // a recording at 16 kHz, followed instead of the microphone
    this.sourceBlock = 0;
    this.isLive = false;
    this.recorded = null; // what is played, in a buffer of the page
    this.nRecorded = 0;
    this.held = new Uint8Array(16 * 128); // velocity by channel and note; 0 where the key is up
    this.latest = 0; // index of the last key that went down
    this.ring = new Int16Array(INPUT_SAMPLES);
    this.down = new Resampler(sampleRate, 16000);
    this.clearInput();
    this.underruns = this.lateInput = this.sentMs = this.delayMs = 0;
    this.clearLoad();
    this.resetClock();
    this.nHandled = 0;
    this.port.onmessage = ({ data }) => {
      this.nHandled++;
      this[data.do](data);
    };
  }

  // --- messages ---------------------------------------------------------------------------------------

  midi({ bytes, sentMs, isEverywhere }) {
    this.notice(bytes[0], bytes[1], bytes[2]);
    if (isEverywhere) this.synth.receiveEverywhere(bytes);
    else this.synth.receive(bytes);
    this.sentMs = sentMs ?? 0;
  }

  demo() {
    this.synth.exports.web_demo();
  }

  panic() {
    this.held.fill(0);
    this.synth.exports.web_panic();
  }

  // Plays with another preset. The keys that are down are struck again, so that it is heard at once; the latest
  // comes last, because it is the one that sounds where only one does.
  choose({ preset }) {
    const { synth, held, latest } = this;
    const keys = [...held.keys()].filter((key) => held[key] && key !== latest);
    if (held[latest]) keys.push(latest);
    for (const key of keys) synth.receive([0x80 | (key >> 7), key & 127, 0]);
    synth.receive([0xc0, preset]);
    for (const key of keys) synth.receive([0x90 | (key >> 7), key & 127, held[key]]);
  }

  noise({ isOn }) {
    this.synth.exports.web_set_noise(isOn);
  }

  reverb({ isOn }) {
    this.synth.exports.web_set_reverb(isOn);
  }

  load({ tune }) {
    this.tune = tune;
    this.seek({ block: 0 });
    this.isTunePlaying = false;
  }

  play({ isOn }) {
    this.isTunePlaying = isOn && this.tune !== null;
    if (!isOn) this.panic();
  }

  // Continues the tune at a block, with the controllers that it has set until then, and no others.
  seek({ block }) {
    const { blocks, ends, bytes } = this.tune;
    this.panic();
    this.synth.receiveEverywhere(DEFAULTS);
    this.tuneBlock = block;
    this.tuneNext = 0;
    while (this.tuneNext < blocks.length && blocks[this.tuneNext] < block) {
      const start = this.tuneNext ? ends[this.tuneNext - 1] : 0;
      if (bytes[start] >= 0xb0) this.synth.receive(bytes.subarray(start, ends[this.tuneNext]));
      this.tuneNext++;
    }
  }

  // Follows the microphone, or `source`, int16 at 16 kHz, if it is given. `gainDb` null: automatic.
  live({ isOn, ratio, gainDb, source }) {
    if (isOn && (!this.isLive || source)) {
      this.clearInput();
      this.source = source ?? null;
      this.sourceBlock = 0;
    }
    if (!isOn) this.source = null;
    this.isLive = isOn;
    this.synth.exports.web_set_live(isOn, ratio);
    if (gainDb !== this.gainDb) this.synth.exports.web_set_gain(gainDb === null, gainDb ?? 0);
    this.gainDb = gainDb;
  }

  // Keeps the blocks from now on in `samples`, int16, until it is full.
  record({ samples }) {
    this.recorded = samples;
    this.nRecorded = 0;
  }

  stopRecording() {
    const samples = this.recorded;
    this.recorded = null;
    this.port.postMessage({ samples, nSamples: this.nRecorded }, [samples.buffer]);
  }

  // Forgets what the clocks showed before, because the context was asleep.
  resetClock() {
    this.windowEnd = 0;
    this.lagMs = this.windowLagMs = Infinity;
  }

  look({ buffer }) {
    const { synth } = this;
    synth.look();
    buffer[0] = this.nBlocks ? this.busyMs / (4 * this.nBlocks) : 0;
    buffer[1] = this.nHandled;
    buffer[2] = this.underruns;
    buffer[3] = this.lateInput;
    buffer[4] = this.delayMs;
    buffer[5] = this.isTunePlaying ? this.tuneBlock : -1;
    buffer[6] = this.source ? this.sourceBlock : -1;
    buffer.set(synth.view, STATS.length);
    if (this.nBlocks > 250) this.clearLoad();
    this.port.postMessage(buffer, [buffer.buffer]);
  }

  // --- sound ------------------------------------------------------------------------------------------

  process(inputs, outputs) {
    if (this.isLive && inputs[0].length) this.hear(inputs[0]);
    const [first] = outputs[0];
    for (let i = 0; i < first.length; i++) first[i] = this.nextSample();
    for (let c = 1; c < outputs[0].length; c++) outputs[0][c].set(first);
    this.compareClocks();
    return true;
  }

  nextSample() {
    if (!this.resampler) return this.firmwareSample();
    while (!this.resampler.isReady) this.resampler.push(this.firmwareSample());
    return this.resampler.take();
  }

  firmwareSample() {
    if (this.used === this.synth.blockSamples) this.renderBlock();
    return this.synth.output[this.used++] / 32768;
  }

  renderBlock() {
    const start = clockMs();
    if (this.isTunePlaying) this.playTune();
    if (this.isLive) this.fillInput();
    this.synth.render();
    this.used = 0;
    if (this.recorded && this.nRecorded + this.synth.blockSamples <= this.recorded.length) {
      this.recorded.set(this.synth.output, this.nRecorded);
      this.nRecorded += this.synth.blockSamples;
    }
    const end = clockMs();
    this.busyMs += end - start;
    this.nBlocks++;
    if (this.sentMs) {
      this.delayMs = end - this.sentMs;
      this.sentMs = 0;
    }
  }

  // Remembers which keys are down.
  notice(status, first, second) {
    const kind = status & 0xf0, channel = status & 15, key = (channel << 7) | first;
    if (kind === 0x90 || kind === 0x80) this.held[key] = kind === 0x90 ? second : 0;
    if (kind === 0x90 && second) this.latest = key;
    else if (status === 0xff || (kind === 0xb0 && first >= 126)) this.held.fill(0); // reset, another mode
    else if (kind === 0xb0 && (first === 120 || first >= 123)) this.held.fill(0, channel << 7, (channel + 1) << 7);
  }

  playTune() {
    const { blocks, ends, bytes } = this.tune;
    for (; this.tuneNext < blocks.length && blocks[this.tuneNext] <= this.tuneBlock; this.tuneNext++) {
      const start = this.tuneNext ? ends[this.tuneNext - 1] : 0;
      this.notice(bytes[start], bytes[start + 1], bytes[start + 2]);
      for (let i = start; i < ends[this.tuneNext]; i++) {
        this.synth.midi[0] = bytes[i];
        this.synth.exports.web_receive(1);
      }
    }
    if (this.tuneNext === blocks.length) this.isTunePlaying = false;
    this.tuneBlock++;
  }

  // --- live input -------------------------------------------------------------------------------------

  clearInput() {
    this.nHeard = this.nRead = 0; // samples at 16 kHz since the start
    this.isPrimed = false;
  }

  // Takes the mean of the channels to 16 kHz.
  hear(channels) {
    for (let i = 0; i < channels[0].length; i++) {
      let sum = 0;
      for (let c = 0; c < channels.length; c++) sum += channels[c][i];
      this.down.push(sum / channels.length);
      while (this.down.isReady) {
        const sample = Math.round(32768 * this.down.take());
        this.ring[this.nHeard++ % INPUT_SAMPLES] = Math.max(-32768, Math.min(32767, sample));
      }
    }
    if (this.nHeard - this.nRead > INPUT_SAMPLES) this.nRead = this.nHeard - 128; // the rest is lost
  }

  fillInput() {
    const { input } = this.synth;
    if (this.source) {
      const start = 64 * this.sourceBlock++;
      for (let i = 0; i < 64; i++) input[i] = this.source[start + i] ?? 0;
      if (start >= this.source.length) this.live({ isOn: false, ratio: 1, gainDb: this.gainDb });
      return;
    }
    this.isPrimed ||= this.nHeard - this.nRead >= 128; // a block in hand
    const hasBlock = this.isPrimed && this.nHeard - this.nRead >= 64;
    for (let i = 0; i < 64; i++) input[i] = hasBlock ? this.ring[this.nRead++ % INPUT_SAMPLES] : 0;
    if (this.isPrimed && !hasBlock) {
      this.lateInput++;
      this.isPrimed = false;
    }
  }

  // --- figures ----------------------------------------------------------------------------------------

  clearLoad() {
    this.busyMs = this.nBlocks = 0;
  }

  // The audio clock stands still while the device is not served in time, and then stays behind for good. Calls
  // come in bursts, so only the smallest lag of a window counts.
  compareClocks() {
    const lagMs = clockMs() - 1000 * currentTime;
    this.windowLagMs = Math.min(this.windowLagMs, lagMs);
    if (currentTime < this.windowEnd) return;
    if (this.windowLagMs > this.lagMs + 8) this.underruns++;
    this.lagMs = this.windowLagMs;
    this.windowLagMs = Infinity;
    this.windowEnd = currentTime + WINDOW_SECONDS;
  }
}

registerProcessor("instrument", InstrumentProcessor);
