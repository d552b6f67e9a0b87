// Web MIDI: every connected keyboard plays, on any channel, also those that are plugged in later.
class MidiInput {
  // `play(bytes, event)` is called for each message, `show(text, isTrouble)` when something changes.
  constructor({ play, show }) {
    Object.assign(this, { play, show });
  }

  async connect() {
    if (!navigator.requestMIDIAccess) {
      this.show("This browser has no Web MIDI: use Chrome, Edge or Firefox, or play with the keys.", true);
      return;
    }
    try {
      this.access = await navigator.requestMIDIAccess();
    } catch {
      this.show("MIDI is not available or was not allowed: allow it in the settings of this page.", true);
      return;
    }
    this.access.onstatechange = () => this.listen();
    this.listen();
  }

  listen() {
    const inputs = [...this.access.inputs.values()].filter(({ state }) => state === "connected");
    for (const input of inputs) {
      input.onmidimessage = (event) => {
        const isReset = event.data[0] === 0xff;
        if (event.data[0] < 0xf0 || isReset) this.play(event.data, event);
      };
    }
    const names = inputs.map(({ name }) => name || "a keyboard").join(", ");
    this.show(names ? `Listening to ${names}.` : "No MIDI keyboard is connected: plug one in, it plays at once.");
  }
}
