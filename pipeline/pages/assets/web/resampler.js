// Converts samples from one rate to another, one at a time, by a windowed sinc with interpolated phases. It is
// used where a context runs at neither 16 nor 48 kHz, and for the microphone. Nothing is allocated after the
// start.
const PHASES = 256;
const HALF_TAPS = 16; // zero crossings on each side

class Resampler {
  constructor(from, to) {
    const narrow = Math.max(from / to, 1); // a lower rate needs a lower cutoff, so a longer filter
    this.step = from / to;
    this.half = Math.ceil(HALF_TAPS * narrow);
    this.taps = 2 * this.half;
    this.table = new Float32Array((PHASES + 1) * this.taps);
    for (let phase = 0; phase <= PHASES; phase++) {
      let sum = 0;
      for (let tap = 0; tap < this.taps; tap++) {
        const x = (tap - this.half + 1 - phase / PHASES) / narrow; // in zero crossings
        const window = Math.cos(Math.min(Math.abs(x) / HALF_TAPS, 1) * Math.PI / 2) ** 2;
        const sinc = x === 0 ? 1 : Math.sin(0.92 * Math.PI * x) / (0.92 * Math.PI * x);
        sum += this.table[phase * this.taps + tap] = sinc * window;
      }
      for (let tap = 0; tap < this.taps; tap++) this.table[phase * this.taps + tap] /= sum;
    }
    this.past = new Float32Array(2 * this.taps); // a ring, stored twice so that it can be read in one go
    this.next = 0;
    this.lead = 1; // samples to push before the next one can be taken
  }

  get isReady() {
    return this.lead <= 0;
  }

  push(sample) {
    this.past[this.next] = this.past[this.next + this.taps] = sample;
    this.next = (this.next + 1) % this.taps;
    this.lead -= 1;
  }

  // Returns the next sample; only if it `isReady`.
  take() {
    const place = -this.lead * PHASES; // how far the sample lies behind the newest one
    const phase = Math.floor(place), share = place - phase;
    let row = phase * this.taps, low = 0, high = 0;
    for (let tap = this.taps - 1; tap >= 0; tap--, row++) {
      const sample = this.past[this.next + tap];
      low += this.table[row] * sample;
      high += this.table[row + this.taps] * sample;
    }
    this.lead += this.step;
    return low + share * (high - low);
  }
}
