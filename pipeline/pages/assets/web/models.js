// Which preset of the firmware plays. A program change selects an instrument, counted from 0; the kind of model,
// such as reduced or tiny, is chosen on the page. The firmware has a preset for each pair of them that exists.
const NO_PRESET = 127; // a program that the firmware ignores

class Models {
  constructor(instruments) {
    this.presets = instruments.map(({ presets }) => presets);
    this.kind = 0;
  }

  // The preset of an instrument with the chosen kind of model, or with its first one where it lacks that.
  preset(instrument) {
    const presets = this.presets[instrument];
    return presets ? presets[this.kind] ?? presets[0] : NO_PRESET;
  }

  instrumentOf(preset) {
    return this.presets.findIndex((presets) => presets.includes(preset));
  }

  // The kind of the model behind a preset; the chosen one if the instrument lacks that.
  kindOf(preset) {
    const instrument = this.instrumentOf(preset);
    return this.preset(instrument) === preset ? this.kind : this.presets[instrument].indexOf(preset);
  }

  // A MIDI message as the firmware gets it: a program change names the preset.
  translated(bytes) {
    return (bytes[0] & 0xf0) === 0xc0 ? [bytes[0], this.preset(bytes[1])] : bytes;
  }
}
