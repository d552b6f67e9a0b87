// The sound that the instrument follows: the microphone, or a recording at 16 kHz.
const RECORDING_SECONDS = 600;

const MICROPHONE_TROUBLE = {
  NotAllowedError: "The microphone was not allowed: allow it in the settings of this page.",
  NotFoundError: "No microphone was found: plug one in, or drop a recording.",
  NotReadableError: "The microphone is in use by another program: close that, and try again.",
};

class LiveInput {
  constructor(engine) {
    this.engine = engine;
    this.stream = null;
  }

  // Connects the microphone; throws an Error with one line for the reader.
  async open() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("This page cannot use a microphone: open it from the disk or by https, or drop a recording.");
    }
    const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: raw });
    } catch (error) {
      throw new Error(MICROPHONE_TROUBLE[error.name] ?? `The microphone does not work (${error.message}).`);
    }
    this.source = new MediaStreamAudioSourceNode(this.engine.context, { mediaStream: this.stream });
    this.source.connect(this.engine.node);
    for (const track of this.stream.getTracks()) {
      track.onended = () => this.engine.report("The microphone was disconnected: connect it and start again.");
    }
  }

  close() {
    this.source?.disconnect();
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = this.source = null;
  }
}

// Decodes a recording to int16 at 16 kHz, one channel; throws an Error with one line for the reader.
async function readRecording(data) {
  let buffer;
  try {
    buffer = await new OfflineAudioContext(1, 1, 16000).decodeAudioData(data);
  } catch {
    throw new Error("it is no sound that this browser can read");
  }
  if (buffer.duration > RECORDING_SECONDS) throw new Error("it is longer than ten minutes");
  const samples = new Int16Array(buffer.length);
  const channels = Array.from({ length: buffer.numberOfChannels }, (_, i) => buffer.getChannelData(i));
  for (let i = 0; i < samples.length; i++) {
    const mean = channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length;
    samples[i] = Math.max(-32768, Math.min(32767, Math.round(32768 * mean)));
  }
  return samples;
}
