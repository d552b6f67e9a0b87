// Plays all renderings of one take in parallel, synchronized to the sample; one of them is audible.
// Switching to another one is a crossfade of a few milliseconds at the current position.
"use strict";

const SAMPLE_RATE = 16000; // of the files; the browser resamples the mix instead of each file
const FADE_SECONDS = 0.005;
const LEAD_SECONDS = 0.02; // delay before playback: events must be scheduled in the future

class Mixer {
  // context: an AudioContext, or an OfflineAudioContext that is rendered later.
  constructor(context) {
    this.context = context;
    this.buffers = new Map(); // by system
    this.voices = new Map(); // source and gain by system, while playing
    this.system = null;
    this.loop = false;
    this.playing = false;
    this.offset = 0; // position in the take in seconds, at the context's time `since`
    this.since = 0;
    this.onend = () => {};
  }

  get duration() {
    return Math.max(0, ...[...this.buffers.values()].map((buffer) => buffer.duration));
  }

  get position() {
    if (!this.playing) return this.offset;
    const reached = this.offset + Math.max(this.context.currentTime - this.since, 0);
    return this.loop ? reached % this.duration : Math.min(reached, this.duration);
  }

  // Replaces the buffers, a Map by system, all of the same length. The position is in seconds.
  load(buffers, position = 0) {
    this.stop();
    this.buffers = buffers;
    this.offset = position;
  }

  // Makes a system audible; the position does not change.
  select(system) {
    this.system = system;
    for (const [name, { gain }] of this.voices) this.fade(gain, name === system ? 1 : 0);
  }

  play() {
    if (this.playing || !this.buffers.size) return;
    if (this.offset >= this.duration) this.offset = 0;
    this.since = this.context.currentTime + LEAD_SECONDS;
    this.playing = true;
    for (const [name, buffer] of this.buffers) {
      const source = new AudioBufferSourceNode(this.context, { buffer, loop: this.loop });
      const gain = new GainNode(this.context, { gain: 0 });
      source.connect(gain).connect(this.context.destination);
      source.start(this.since, this.offset);
      this.voices.set(name, { source, gain });
    }
    this.select(this.system);
    const [{ source }] = this.voices.values();
    source.onended = () => {
      this.stop();
      this.offset = 0;
      this.onend();
    };
  }

  // Stops playback and keeps the position.
  stop() {
    if (!this.playing) return;
    this.offset = this.position;
    this.playing = false;
    for (const { source, gain } of this.voices.values()) {
      source.onended = null;
      this.fade(gain, 0);
      source.stop(this.context.currentTime + LEAD_SECONDS + FADE_SECONDS);
    }
    this.voices.clear();
  }

  seek(position) {
    const wasPlaying = this.playing;
    this.stop();
    this.offset = Math.min(Math.max(position, 0), this.duration);
    if (wasPlaying) this.play();
  }

  setLoop(loop) {
    this.offset = this.position;
    this.since = Math.max(this.since, this.context.currentTime);
    this.loop = loop;
    for (const { source } of this.voices.values()) source.loop = loop;
  }

  fade({ gain }, target) {
    const start = this.context.currentTime + LEAD_SECONDS;
    gain.cancelScheduledValues(0);
    gain.setValueAtTime(gain.value, start);
    gain.linearRampToValueAtTime(target, start + FADE_SECONDS);
  }
}

// A page opened from disk must not read files beside it, but it may run scripts. Therefore the
// sounds of a take are a script that calls `deliver`, loaded when the take is first played.
const delivered = new Map();
const takes = new Map(); // promises of the decoded sounds, by take

function deliver(take, sounds) {
  delivered.set(take, sounds);
}

// Resolves to a Map of AudioBuffers by system.
function loadTake(context, take) {
  if (!takes.has(take)) takes.set(take, fetchTake(context, take));
  return takes.get(take);
}

async function fetchTake(context, take) {
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `sounds/${take}.js`;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`sounds/${take}.js is missing beside this page`));
    document.head.append(script);
  });
  const decoded = Object.entries(delivered.get(take)).map(async ([system, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return [system, await context.decodeAudioData(bytes.buffer)];
  });
  delivered.delete(take);
  return new Map(await Promise.all(decoded));
}

function formatTime(seconds) {
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
}
