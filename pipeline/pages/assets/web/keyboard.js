// The piano: keys for mouse, pen and fingers (several at once; further down is louder), and the computer's keys.
const NOTE_NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];
const BLACK = new Set([1, 3, 6, 8, 10]);
const ROW = ["KeyA", "KeyW", "KeyS", "KeyE", "KeyD", "KeyF", "KeyT", "KeyG", "KeyY", "KeyH", "KeyU", "KeyJ", "KeyK",
  "KeyO", "KeyL", "KeyP", "Semicolon"]; // by place on the keyboard, from C on
const TYPED_VELOCITY = 90;

function noteName(note) {
  return `${NOTE_NAMES[note % 12]}${Math.floor(note / 12) - 1}`;
}

function spokenName(note) {
  return noteName(note).replace("♯", " sharp").replace("♭", " flat");
}

class Piano {
  // `element` becomes the keyboard; `press(note, velocity, event)` and `release(note, event)` are called.
  constructor(element, { press, release }) {
    Object.assign(this, { element, press, release });
    this.lowest = 60;
    this.typed = 60; // note of the computer's key A
    this.labels = new Map(ROW.map((code) => [code, code === "Semicolon" ? ";" : code.slice(3)]));
    this.held = new Map(); // notes by pointer or key
    this.keys = new Map(); // elements by note
    element.addEventListener("pointerdown", (event) => this.touch(event));
    element.addEventListener("pointermove", (event) => this.slide(event));
    for (const kind of ["pointerup", "pointercancel"]) {
      window.addEventListener(kind, (event) => this.let(event.pointerId, event));
    }
    element.addEventListener("keydown", (event) => this.step(event));
    window.addEventListener("blur", () => this.letAll());
    new ResizeObserver(() => this.draw()).observe(element);
    navigator.keyboard?.getLayoutMap?.().then((map) => { // shows what is printed on this keyboard
      for (const code of ROW) this.labels.set(code, (map.get(code) ?? this.labels.get(code)).toUpperCase());
      this.draw(true);
    }, () => {});
  }

  // Shows the keys around `note`, which the computer's key A plays. `range`: lowest and highest note that the
  // instrument has learnt; keys beyond it are marked.
  move(note, range = this.range) {
    this.range = range;
    this.typed = Math.max(12, Math.min(96, note));
    this.draw(true);
  }

  draw(always = false) {
    const width = this.element.clientWidth;
    const nOctaves = width < 460 ? 1.5 : width < 720 ? 2 : width < 1000 ? 3 : 4;
    const lowest = Math.max(0, Math.min(this.typed - 12 * Math.floor((nOctaves - 1) / 2), 127 - 12 * nOctaves));
    if (!always && lowest === this.lowest && nOctaves === this.nOctaves) return;
    Object.assign(this, { lowest, nOctaves });
    const nNotes = nOctaves === 1.5 ? 17 : 12 * nOctaves + 1;
    const notes = Array.from({ length: nNotes }, (_, i) => lowest + i).filter((note) => note < 128);
    const hadFocus = this.element.contains(document.activeElement);
    const nWhite = notes.filter((note) => !BLACK.has(note % 12)).length;
    this.keys.clear();
    let white = 0;
    this.element.replaceChildren(...notes.map((note) => {
      const key = document.createElement("button");
      const isBlack = BLACK.has(note % 12), letter = this.labels.get(ROW[note - this.typed]) ?? "";
      key.type = "button";
      key.tabIndex = note === this.typed ? 0 : -1;
      const isBeyond = this.range && (note < this.range[0] || note > this.range[1]);
      key.className = `${isBlack ? "black" : "white"}${isBeyond ? " beyond" : ""}`;
      key.dataset.note = note;
      key.setAttribute("aria-label", spokenName(note) + (isBeyond ? ", beyond the range" : ""));
      key.innerHTML = `<kbd></kbd>${note % 12 ? "" : `<span>${noteName(note)}</span>`}`;
      key.firstChild.textContent = letter;
      if (isBlack) {
        key.style.left = `${(100 * white) / nWhite}%`;
        key.style.width = `${62 / nWhite}%`;
      } else {
        white++;
      }
      this.keys.set(note, key);
      return key;
    }));
    if (hadFocus) this.keys.get(this.typed).focus();
  }

  // Marks the keys that sound, with their strength from 0 to 1 by note.
  show(sounding) {
    for (const [note, key] of this.keys) {
      const strength = sounding.get(note) ?? 0;
      if (key.strength !== strength) key.style.setProperty("--strength", (key.strength = strength).toFixed(2));
    }
  }

  take(owner, note, velocity, event) {
    if (this.held.get(owner) === note) return;
    this.let(owner, event);
    this.held.set(owner, note);
    this.keys.get(note)?.classList.add("down");
    this.press(note, velocity, event);
  }

  let(owner, event) {
    const note = this.held.get(owner);
    if (note === undefined) return;
    this.held.delete(owner);
    if ([...this.held.values()].includes(note)) return;
    this.keys.get(note)?.classList.remove("down");
    this.release(note, event);
  }

  letAll() {
    for (const owner of [...this.held.keys()]) this.let(owner);
  }

  // --- pointers ---------------------------------------------------------------------------------------

  touch(event) {
    const key = event.target.closest("[data-note]");
    if (!key || event.button > 0) return;
    event.preventDefault();
    this.element.setPointerCapture?.(event.pointerId);
    this.strike(key, event);
  }

  slide(event) {
    if (!this.held.has(event.pointerId)) return;
    const key = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-note]");
    if (key && this.element.contains(key)) this.strike(key, event);
  }

  strike(key, event) {
    const { top, height } = key.getBoundingClientRect();
    const depth = Math.max(0, Math.min(1, (event.clientY - top) / height));
    this.take(event.pointerId, Number(key.dataset.note), Math.round(35 + 92 * depth), event);
  }

  // --- keys -------------------------------------------------------------------------------------------

  // Plays a key of the computer; returns whether it is one that plays.
  type(event) {
    const index = ROW.indexOf(event.code);
    if (index < 0) return false;
    if (event.type === "keyup") this.let(event.code, event);
    else if (!event.repeat) this.take(event.code, this.typed + index, TYPED_VELOCITY, event);
    return true;
  }

  // Moves the focus along the keys with the arrows, and plays the focused one with Enter.
  step(event) {
    const note = Number(event.target.dataset?.note);
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: 12, ArrowDown: -12 }[event.key];
    if (step) {
      event.preventDefault();
      this.keys.get(note + step)?.focus();
    } else if (event.key === "Enter" && !event.repeat) {
      event.preventDefault();
      const owner = `focus ${note}`;
      this.take(owner, note, TYPED_VELOCITY, event);
      event.target.addEventListener("keyup", (up) => this.let(owner, up), { once: true });
      event.target.addEventListener("blur", (up) => this.let(owner, up), { once: true });
    }
  }
}
