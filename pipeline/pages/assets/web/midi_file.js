// Reads a Standard MIDI File into what the audio thread plays: MIDI bytes, each with the number of its block of
// 4 ms, as pipeline.target.midi_score.load_piece does. Program changes are left out, because the listener chooses
// the instrument, and so are drums unless their channel is asked for, and notes that the firmware cannot play. Notes
// without an end are released.
const FRAME_RATE = 250;
const MAX_SECONDS = 3600;
const CHORD_SECONDS = 0.03; // between notes of a chord; notes that overlap later may be slurred
const DRUM_CHANNEL = 10;
const LOWEST_NOTE = 16, HIGHEST_NOTE = 107; // 20 to 4000 Hz
const RELEASE_SECONDS = 2; // from the last message until notes without an end are released
const VIDEO_RATES = { 24: [24, 1], 25: [25, 1], 29: [30000, 1001], 30: [30, 1] }; // frames per second, as fractions

// Reads `channel`, from 1, or all but that of the drums. Returns { blocks, ends, bytes, seconds, nNotes, hasChords,
// channels, nDrums, nOutside, nUnended, isPedalLeft }; throws an Error with one line for the reader.
function readMidiFile(data, channel = null) {
  const bytes = new Uint8Array(data);
  const reader = new MidiReader(bytes);
  if (reader.text(4) !== "MThd") throw new Error("it does not begin with MThd");
  const header = reader.number(4), format = reader.number(2);
  reader.number(2); // the number of tracks, which some files get wrong
  const division = reader.number(2);
  if (format > 1) throw new Error(`it holds independent songs, format ${format}`);
  reader.place = 8 + header;
  const events = [];
  let nTracks = 0;
  while (bytes.length - reader.place >= 8) {
    const kind = reader.text(4), length = reader.number(4), end = reader.place + length;
    if (kind === "MTrk") {
      if (end > bytes.length) throw new Error("it ends in the middle of a track");
      readTrack(reader, end, events);
      nTracks++;
    }
    reader.place = end;
  }
  if (!nTracks) throw new Error("it holds no track");
  setTimes(events.sort((a, b) => a.tick - b.tick), clockOf(division)); // the sort is stable
  return arrange(events.filter(({ message }) => message), channel);
}

class MidiReader {
  constructor(bytes) {
    this.bytes = bytes;
    this.place = 0;
  }

  byte() {
    if (this.place >= this.bytes.length) throw new Error("it ends too early");
    return this.bytes[this.place++];
  }

  number(nBytes) {
    let number = 0;
    for (let i = 0; i < nBytes; i++) number = number * 256 + this.byte();
    return number;
  }

  variable() {
    let number = 0;
    for (let i = 0; i < 4; i++) {
      const byte = this.byte();
      number = number * 128 + (byte & 127);
      if (byte < 128) return number;
    }
    throw new Error("a number has more than four bytes");
  }

  text(nBytes) {
    return String.fromCharCode(...Array.from({ length: nBytes }, () => this.byte()));
  }

  skip(nBytes) {
    this.place += nBytes;
    if (this.place > this.bytes.length) throw new Error("it ends too early");
  }
}

function readTrack(reader, end, events) {
  let tick = 0, status = 0;
  while (reader.place < end) {
    tick += reader.variable();
    const first = reader.byte();
    if (first === 0xff) {
      const kind = reader.byte(), length = reader.variable();
      if (kind === 0x51 && length === 3) events.push({ tick, tempo: reader.number(length) });
      else reader.skip(length);
      if (kind === 0x2f) break;
    } else if (first === 0xf0 || first === 0xf7) {
      reader.skip(reader.variable());
    } else {
      if (first & 128) status = first;
      if (status < 0x80 || status >= 0xf0) throw new Error("a track holds bytes that are no message");
      const nData = status >= 0xc0 && status < 0xe0 ? 1 : 2;
      const message = first & 128 ? [status] : [status, first];
      while (message.length < nData + 1) message.push(Math.min(reader.byte(), 127));
      events.push({ tick, message });
    }
  }
  if (reader.place > end) throw new Error("a message is longer than its track");
}

// Returns how time is counted, in units of which every number is whole: units per tick until the tempo changes, and
// units per block.
function clockOf(division) {
  if (division > 0 && division < 0x8000) return { weight: 500000, blockUnits: 4000 * division, followsTempo: true };
  const [frames, seconds] = VIDEO_RATES[256 - (division >> 8)] ?? [0, 0];
  const blockUnits = frames * (division & 255);
  if (!blockUnits) throw new Error(`its time division is 0x${division.toString(16).padStart(4, "0")}`);
  return { weight: FRAME_RATE * seconds, blockUnits, followsTempo: false };
}

function setTimes(events, { weight, blockUnits, followsTempo }) {
  let units = 0, tick = 0;
  for (const event of events) {
    units += weight * (event.tick - tick);
    tick = event.tick;
    event.block = Math.floor(units / blockUnits);
    event.seconds = units / blockUnits / FRAME_RATE;
    if (followsTempo && event.tempo) weight = event.tempo;
  }
}

// The notes that are held on one channel, by keys or by pedals.
class HeldNotes {
  constructor() {
    this.down = new Map(); // onset in seconds, by note whose key is down
    this.pedalled = new Set(); // notes that only a pedal holds
    this.isPedalDown = false;
    this.caught = null; // what the sostenuto pedal holds while it is down
  }

  receive([status, first, second], seconds) {
    const kind = status & 0xf0;
    if (kind === 0x90 && second) {
      this.down.set(first, seconds);
      this.pedalled.delete(first);
    } else if (kind < 0xa0) this.release([first]);
    else if (kind === 0xb0) this.change(first, second);
  }

  change(number, value) {
    const isReset = number === 121, isDown = value >= 64 && !isReset;
    if (number === 64 || isReset) this.isPedalDown = isDown;
    if (number === 66 || isReset) {
      const caught = this.caught ?? new Set([...this.down.keys(), ...this.pedalled]);
      this.caught = isDown ? caught : null;
    }
    if (number === 64 || number === 66 || isReset) {
      for (const note of this.pedalled) if (!this.isHeld(note)) this.pedalled.delete(note);
    } else if (number === 120 || number >= 126) { // all sound off; one note at a time, or several
      this.down.clear();
      this.pedalled.clear();
    } else if (number >= 123) this.release([...this.down.keys()]); // all notes off
  }

  release(notes) {
    for (const note of notes) if (this.down.delete(note) && this.isHeld(note)) this.pedalled.add(note);
  }

  isHeld(note) { // by a pedal, when its key goes up
    return this.isPedalDown || Boolean(this.caught?.has(note));
  }
}

// Returns { channel, nNotes } of the channels that have notes.
function listChannels(events) {
  const counts = Array(17).fill(0);
  for (const { message: [status, , velocity] } of events) {
    if ((status & 0xf0) === 0x90 && velocity) counts[1 + (status & 15)]++;
  }
  return counts.map((nNotes, channel) => ({ channel, nNotes })).filter(({ nNotes }) => nNotes);
}

// Selects what is played on the channels of `held`, which then tells what is held at the end.
function select(events, held) {
  const played = [];
  let nNotes = 0, nOutside = 0, hasChords = false;
  for (const event of events) {
    const [status, note, velocity] = event.message, kind = status & 0xf0, notes = held.get(1 + (status & 15));
    if (!notes || kind === 0xc0) continue;
    const begins = kind === 0x90 && velocity > 0;
    if (kind < 0xa0 && (note < LOWEST_NOTE || note > HIGHEST_NOTE)) {
      nOutside += begins;
      continue;
    }
    if (begins) {
      const onsets = [...held.values()].flatMap(({ down }) => [...down.values()]);
      hasChords ||= onsets.some((begun) => event.seconds - begun < CHORD_SECONDS);
      nNotes++;
    }
    notes.receive(event.message, event.seconds);
    played.push(event);
  }
  return { played, nNotes, nOutside, hasChords };
}

function arrange(events, chosen) {
  const channels = listChannels(events);
  if (!channels.length) throw new Error("it holds no note");
  const names = channels.map(({ channel }) => channel);
  const wanted = chosen === null ? names.filter((channel) => channel !== DRUM_CHANNEL) : [chosen];
  if (!wanted.length) throw new Error(`it holds only drums, on channel ${DRUM_CHANNEL}`);
  const held = new Map(wanted.map((channel) => [channel, new HeldNotes()]));
  const { played, ...counts } = select(events, held);
  if (!counts.nNotes) throw new Error("it holds no note that the firmware can play");
  const last = played.at(-1);
  if (last.block > MAX_SECONDS * FRAME_RATE) throw new Error("it lasts over an hour");
  const holding = [...held].filter(([, { down, pedalled }]) => down.size || pedalled.size);
  const block = last.block + RELEASE_SECONDS * FRAME_RATE;
  for (const [channel] of holding) {
    for (const number of [64, 66, 123]) played.push({ block, message: [0xb0 | (channel - 1), number, 0] });
  }
  let nBytes = 0;
  return {
    ...counts, channels,
    blocks: Uint32Array.from(played, (event) => event.block),
    ends: Uint32Array.from(played, ({ message }) => (nBytes += message.length)),
    bytes: Uint8Array.from(played.flatMap(({ message }) => message)),
    seconds: last.seconds + (holding.length ? RELEASE_SECONDS : 0),
    nDrums: chosen === null ? channels.find(({ channel }) => channel === DRUM_CHANNEL)?.nNotes ?? 0 : 0,
    nUnended: holding.reduce((sum, [, { down }]) => sum + down.size, 0),
    isPedalLeft: holding.some(([, { pedalled }]) => pedalled.size > 0),
  };
}
