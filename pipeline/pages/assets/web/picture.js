// What one sees of the sound: levels on the drawing of the algorithm, pitch and loudness, a spectrogram.
const LEVEL_FLOOR_DB = -60;
const CURVE_SECONDS = 6;
const PITCH_NOTES = [36, 103]; // lowest and highest note of the pitch curve
const LOUDNESS_DB = [-80, 0];
const SPECTRUM_DB = [-100, -20];
const SPECTRUM_HZ = [125, 8000];

// Puts bars into the operators' boxes of a drawing by pipeline.pages.diagrams.patch_svg.
class Algorithm {
  constructor(element, svg, maxLevel) {
    this.element = element;
    this.maxLevel = maxLevel;
    this.levels = new Float32Array(6);
    element.innerHTML = svg;
    this.bars = [...element.querySelectorAll("rect.box:not(.ground)")].map((box) => {
      const bar = box.cloneNode();
      bar.setAttribute("class", box.classList.contains("carrier") ? "level heard" : "level");
      box.after(bar);
      return { bar, top: Number(box.getAttribute("y")), height: Number(box.getAttribute("height")) };
    });
  }

  // Levels in turns; the highest shown is that of the firmware's sigmoid.
  show(levels) {
    this.bars.forEach(({ bar, top, height }, i) => {
      const db = 20 * Math.log10(Math.max(levels[i] / this.maxLevel, 1e-6));
      const goal = Math.max(0, Math.min(1, 1 - db / LEVEL_FLOOR_DB));
      this.levels[i] = goal > this.levels[i] ? goal : Math.max(goal, this.levels[i] - 0.06);
      const tall = this.levels[i] * height;
      bar.setAttribute("y", (top + height - tall).toFixed(1));
      bar.setAttribute("height", tall.toFixed(1));
    });
  }
}

// A canvas that keeps the resolution of the screen.
class Surface {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    new ResizeObserver(() => this.fit()).observe(canvas);
    this.fit();
  }

  fit() {
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * scale));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * scale));
    this.scale = scale;
    this.begun?.();
  }
}

// Pitch or loudness over the last seconds. Values are NaN where there is none.
class Curve extends Surface {
  constructor(canvas, [low, high]) {
    super(canvas);
    Object.assign(this, { low, high, values: [], times: [] });
    this.draw(0);
  }

  begun() {
    if (this.times) this.draw(this.times.at(-1) ?? 0);
  }

  add(time, value) {
    this.times.push(time);
    this.values.push(value);
    while (this.times[0] < time - CURVE_SECONDS) {
      this.times.shift();
      this.values.shift();
    }
    this.draw(time);
  }

  draw(now) {
    const { context, canvas: { width, height } } = this;
    const style = getComputedStyle(this.canvas);
    context.fillStyle = style.getPropertyValue("--card");
    context.fillRect(0, 0, width, height);
    context.fillStyle = style.getPropertyValue("--grid");
    for (let second = Math.ceil(now - CURVE_SECONDS); second <= now; second++) {
      context.fillRect(Math.round(width * (1 - (now - second) / CURVE_SECONDS)), 0, 1, height);
    }
    context.strokeStyle = style.getPropertyValue("--accent");
    context.lineWidth = 2 * this.scale;
    context.lineJoin = "round";
    context.beginPath();
    let isDrawing = false;
    for (let i = 0; i < this.values.length; i++) {
      const x = width * (1 - (now - this.times[i]) / CURVE_SECONDS);
      const share = Math.max(0, Math.min(1, (this.values[i] - this.low) / (this.high - this.low)));
      const y = height - 2 - share * (height - 4);
      if (Number.isNaN(this.values[i])) isDrawing = false;
      else if (isDrawing) context.lineTo(x, y);
      else context.moveTo(x, y);
      isDrawing = !Number.isNaN(this.values[i]);
    }
    context.stroke();
  }
}

// A spectrogram that runs from right to left, with the scales and colours of the other pages.
class Spectrogram extends Surface {
  constructor(canvas, palette) {
    super(canvas);
    this.palette = palette.match(/.{6}/g).map((hex) => `#${hex}`);
    this.place = 0;
  }

  begun() {
    if (this.palette) this.clear();
  }

  clear() {
    this.context.fillStyle = this.palette[0];
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  attach(context, node) {
    this.analyser = new AnalyserNode(context, { fftSize: 4096, smoothingTimeConstant: 0 });
    this.bins = new Float32Array(this.analyser.frequencyBinCount);
    this.binHz = context.sampleRate / this.analyser.fftSize;
    node.connect(this.analyser);
    this.clear();
  }

  add(seconds) {
    const { context, canvas: { width, height } } = this;
    this.place += (seconds * width) / CURVE_SECONDS;
    const step = Math.floor(this.place);
    this.place -= step;
    if (!this.analyser || !step) return;
    this.analyser.getFloatFrequencyData(this.bins);
    context.drawImage(this.canvas, -step, 0);
    const ratio = SPECTRUM_HZ[1] / SPECTRUM_HZ[0], rows = Math.min(height, 160);
    for (let row = 0; row < rows; row++) {
      const bin = Math.round((SPECTRUM_HZ[1] * ratio ** (-row / rows)) / this.binHz);
      const level = (this.bins[bin] - SPECTRUM_DB[0]) / (SPECTRUM_DB[1] - SPECTRUM_DB[0]);
      context.fillStyle = this.palette[Math.round(255 * Math.max(0, Math.min(1, level)))] ?? this.palette[0];
      const top = Math.floor((row * height) / rows);
      context.fillRect(width - step, top, step, Math.ceil(height / rows) + 1);
    }
  }
}
