// Reads a Standard MIDI File into what the audio thread plays: MIDI bytes, each with the number of its block of
// 4 ms, as pipeline.target.player.load_score does. Program changes and the drums on channel 10 are left out,
// because the listener chooses the instrument.
const FRAME_RATE = 250;
const MAX_SECONDS = 3600;
const CHORD_SECONDS = 0.03; // between notes of a chord; notes that overlap later may be slurred

// Returns { blocks, ends, bytes, seconds, nNotes, hasChords }; throws an Error with one line for the reader.
function readMidiFile(data) {
  const bytes = new Uint8Array(data);
  const reader = new MidiReader(bytes);
  if (reader.text(4) !== "MThd") throw new Error("it is not a MIDI file");
  const header = reader.number(4), format = reader.number(2);
  reader.number(2); // the number of tracks, which some files get wrong
  const division = reader.number(2);
  if (format > 1) throw new Error("it holds independent songs (format 2)");
  if (!division || division & 0x8000) throw new Error("it counts time in video frames, not beats");
  reader.place = 8 + header;
  const events = [];
  while (reader.place < bytes.length) {
    const kind = reader.text(4), length = reader.number(4), end = reader.place + length;
    if (end > bytes.length) throw new Error("it ends in the middle of a track");
    if (kind === "MTrk") readTrack(reader, end, events);
    reader.place = end;
  }
  return arrange(events.sort((a, b) => a.tick - b.tick), division); // the sort is stable
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
    let number = 0, byte;
    do {
      byte = this.byte();
      number = number * 128 + (byte & 127);
    } while (byte & 128);
    return number;
  }

  text(nBytes) {
    return String.fromCharCode(...Array.from({ length: nBytes }, () => this.byte()));
  }

  skip(nBytes) {
    this.place += nBytes;
  }
}

function readTrack(reader, end, events) {
  let tick = 0, status = 0;
  while (reader.place < end) {
    tick += reader.variable();
    const first = reader.byte();
    if (first === 0xff) {
      const kind = reader.byte(), length = reader.variable();
      if (kind === 0x2f) return;
      if (kind === 0x51) events.push({ tick, tempo: reader.number(length) });
      else reader.skip(length);
    } else if (first === 0xf0 || first === 0xf7) {
      reader.skip(reader.variable());
    } else {
      if (first & 128) status = first;
      if (status < 0x80 || status >= 0xf0) throw new Error("a track holds bytes that are no message");
      const nData = status >= 0xc0 && status < 0xe0 ? 1 : 2;
      const message = first & 128 ? [status] : [status, first & 127];
      while (message.length < nData + 1) message.push(reader.byte() & 127);
      events.push({ tick, message });
    }
  }
}

function arrange(events, division) {
  const blocks = [], ends = [], bytes = [], beginnings = new Map(); // by note that is held
  let seconds = 0, tick = 0, tempo = 500000, nNotes = 0, hasChords = false;
  for (const event of events) {
    seconds += (event.tick - tick) * ((tempo * 1e-6) / division);
    tick = event.tick;
    if (event.tempo) tempo = event.tempo;
    if (!event.message) continue;
    if (seconds > MAX_SECONDS) throw new Error("it lasts over an hour");
    const [status] = event.message;
    const isDrum = (status & 15) === 9, isProgram = (status & 0xf0) === 0xc0;
    if (isDrum || isProgram) continue;
    const [, note, velocity] = event.message;
    if ((status & 0xf0) === 0x90 && velocity) {
      nNotes++;
      hasChords ||= [...beginnings.values()].some((begun) => seconds - begun < CHORD_SECONDS);
      beginnings.set(note, seconds);
    } else if (status < 0xa0) {
      beginnings.delete(note);
    }
    blocks.push(Math.floor(seconds * FRAME_RATE));
    bytes.push(...event.message);
    ends.push(bytes.length);
  }
  if (!nNotes) throw new Error("it holds no note");
  return {
    blocks: Uint32Array.from(blocks), ends: Uint32Array.from(ends), bytes: Uint8Array.from(bytes), seconds, nNotes,
    hasChords,
  };
}
