// Keeps what is played: the samples of the firmware as a WAV file, and what was played by hand as a MIDI file.
const MAX_RECORDED_SECONDS = 300;
const TICKS_PER_SECOND = 960; // 480 per beat, 120 beats per minute

class Recorder {
  constructor(engine) {
    this.engine = engine;
    this.events = null; // MIDI bytes that were played by hand, with their time
    engine.addEventListener("midi", ({ detail }) => {
      const isForFile = detail[0] < 0xf0; // a file takes a system reset for something else
      if (this.isOn && isForFile) this.events.push({ ms: performance.now() - this.sinceMs, bytes: [...detail] });
    });
  }

  get isOn() {
    return this.events !== null;
  }

  start() {
    this.rate = this.engine.context.sampleRate === 16000 ? 16000 : 48000; // of the firmware
    this.events = [];
    this.sinceMs = performance.now();
    const samples = new Int16Array(MAX_RECORDED_SECONDS * this.rate);
    this.engine.send({ do: "record", samples }, [samples.buffer]);
  }

  // Ends the recording; resolves to { wav, midi, seconds }, two Uint8Arrays, the second null if nothing was played.
  async stop() {
    const { events } = this;
    this.events = null;
    const { samples, nSamples } = await this.engine.takeRecording();
    return {
      wav: wavFile(samples.subarray(0, nSamples), this.rate),
      midi: events.length ? midiFile(events) : null,
      seconds: nSamples / this.rate,
    };
  }
}

function wavFile(samples, rate) {
  const file = new DataView(new ArrayBuffer(44 + samples.byteLength));
  const text = (place, word) => [...word].forEach((letter, i) => file.setUint8(place + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  file.setUint32(4, 36 + samples.byteLength, true);
  text(8, "WAVEfmt ");
  file.setUint32(16, 16, true);
  file.setUint16(20, 1, true); // PCM
  file.setUint16(22, 1, true); // one channel
  file.setUint32(24, rate, true);
  file.setUint32(28, 2 * rate, true);
  file.setUint16(32, 2, true);
  file.setUint16(34, 16, true);
  text(36, "data");
  file.setUint32(40, samples.byteLength, true);
  samples.forEach((sample, i) => file.setInt16(44 + 2 * i, sample, true));
  return new Uint8Array(file.buffer);
}

function midiFile(events) {
  const track = [];
  let ticks = 0;
  for (const { ms, bytes } of events) {
    const now = Math.round((ms / 1000) * TICKS_PER_SECOND);
    track.push(...variableLength(now - ticks), ...bytes);
    ticks = now;
  }
  track.push(0, 0xff, 0x2f, 0);
  const head = [0x4d, 0x54, 0x68, 0x64, 0, 0, 0, 6, 0, 0, 0, 1, 480 >> 8, 480 & 255, 0x4d, 0x54, 0x72, 0x6b];
  const length = [24, 16, 8, 0].map((shift) => (track.length >> shift) & 255);
  return Uint8Array.from([...head, ...length, ...track]);
}

function variableLength(number) {
  const bytes = [number & 127];
  for (let rest = number >> 7; rest; rest >>= 7) bytes.unshift((rest & 127) | 128);
  return bytes;
}
