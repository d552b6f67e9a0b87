// The firmware as WebAssembly (tflm_app/apps/web): MIDI bytes in, blocks of 4 ms out. It runs in the audio
// thread of a page and in Node.js, and allocates nothing after its start.
class Synth {
  // `bytes` is the module, `rate` 48000 or 16000.
  constructor(bytes, rate) {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    exports._initialize?.();
    exports.web_init(rate);
    this.exports = exports;
    this.nVoices = exports.web_n_voices();
    this.blockSamples = rate / 250;
    const memory = exports.memory.buffer; // never grows, because nothing is allocated
    this.midi = new Uint8Array(memory, exports.web_midi(), exports.web_midi_capacity());
    this.input = new Int16Array(memory, exports.web_input(), 64);
    this.output = new Int16Array(memory, exports.web_render(), this.blockSamples);
    this.view = new Float32Array(memory, exports.web_view(), viewSize(this.nVoices));
    exports.web_init(rate); // forgets the block that was rendered for its address
  }

  // Handles MIDI bytes; their effect starts with the next block.
  receive(bytes) {
    for (let start = 0; start < bytes.length; start += this.midi.length) {
      const end = Math.min(start + this.midi.length, bytes.length);
      for (let i = start; i < end; i++) this.midi[i - start] = bytes[i];
      this.exports.web_receive(end - start);
    }
  }

  // Handles controllers, bends or program changes on all channels, as the page's own controls do.
  receiveEverywhere(bytes) {
    this.midi.set(bytes);
    this.exports.web_receive_everywhere(bytes.length);
  }

  // Renders the next block into `output`, int16.
  render() {
    this.exports.web_render();
  }

  // Updates `view`.
  look() {
    this.exports.web_view();
  }
}
