// Runs a UF2 for the Raspberry Pi Pico in rp2040js, without its boot ROM, and records its pins.
//
//     node runner.mjs RP2040JS FIRMWARE.uf2 SCORE.json OUT
//
// SCORE holds
//   frames   number of sound frames to record
//   output   "i2s", or "pwm": both words of a frame are then the duty of slice 4, channel A
//   events   [{frame, port, bytes}]: bytes that arrive at the "midi" or "console" UART, starting at a frame
//   broken   "crystal" or "pll", which never starts, or "sound", which stops after half the frames; or nothing
//
// Writes the left and right words of every frame (int32) to OUT and prints JSON: the text of the console, the
// active cycles of the core per block of 4 ms, the frequency of the core, the divider of the PIO (256ths),
// warnings of the emulator, resets by the watchdog, flashes of the LED. Ends early at a reset.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [emulatorDir, uf2Path, scorePath, outPath] = process.argv.slice(2);
const { GPIOPinState, RP2040 } = await import(pathToFileURL(`${emulatorDir}/dist/esm/index.js`));
const score = JSON.parse(readFileSync(scorePath, "utf8"));

const FLASH = 0x10000000;
const SRAM = 0x20000000;
const LOADER = 0x20041f00; // the boot ROM copies the first 256 bytes of the flash here
const PIN = { data: 9, bck: 10, lrck: 11, led: 25 };
const PWM_SLICE = 4;
const PWM_CC = 0x0c;
const BAUD = { midi: 31250, console: 115200 };
const BITS_PER_BYTE = 10;

const chip = new RP2040();
const warnings = [];
const note = (name, message) => warnings.push(`${name}: ${message}`);
chip.logger = { debug() {}, info() {}, warn: note, error: note };
let nResets = 0;
const watchdog = chip.peripherals[0x40058];
watchdog.onWatchdogTrigger = () => {
  nResets++;
  watchdog.alarm.enable = false; // otherwise the alarm would fire again immediately
};

// --- the work of the boot ROM: flash the UF2, check the loader, start it -----------------------------

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
    }
  }
  return crc >>> 0;
}

const uf2 = readFileSync(uf2Path);
for (let block = 0; block < uf2.length; block += 512) {
  const address = uf2.readUInt32LE(block + 12);
  const nBytes = uf2.readUInt32LE(block + 16);
  chip.flash.set(uf2.subarray(block + 32, block + 32 + nBytes), address - FLASH);
}
if (crc32(chip.flash.subarray(0, 252)) !== chip.flashView.getUint32(252, true)) {
  throw new Error("the boot ROM refuses a loader with a wrong checksum");
}
chip.sram.set(chip.flash.subarray(0, 256), LOADER - SRAM);
chip.core.PC = LOADER;

// --- corrections of the emulator ---------------------------------------------------------------------

const [pio] = chip.pio;
const [machine] = pio.machines;
pio.run = () => {}; // it would step in real time; the loop below steps it with the core

// A DMA timer fires X / Y times per cycle (RP2040 datasheet, section 2.5); returns its period in microseconds.
chip.dma.getTimer = () => {
  const [x, y] = [chip.dma.timer0 >>> 16, chip.dma.timer0 & 0xffff];
  return ((y / x) * 1e6) / chip.clkSys;
};

const ready = 1 << 31; // STABLE, LOCK
function withhold(peripheral, offset) {
  const read = peripheral.readUint32.bind(peripheral);
  peripheral.readUint32 = (at) => (at === offset ? read(at) & ~ready : read(at));
}
if (score.broken === "crystal") {
  withhold(chip.peripherals[0x40024], 0x4);
} else if (score.broken === "pll") {
  withhold(chip.pllSys, 0x0);
}

// --- the devices at the pins -------------------------------------------------------------------------

let consoleText = "";
chip.uart[0].onByte = (byte) => (consoleText += String.fromCharCode(byte));

const recorded = [[], []]; // words while LRCK is low (left) and high (right)
let word = 0;
let nBits = 0;
let lastBck = 0;
let lastLrck = 0;

const level = (pin) => (chip.gpio[pin].value === GPIOPinState.High ? 1 : 0);

// A DAC samples a bit when BCK rises; LRCK changes with the last bit of a slot.
function sampleI2s() {
  const bck = level(PIN.bck);
  if (bck && !lastBck) {
    const lrck = level(PIN.lrck);
    word = (word << 1) | level(PIN.data);
    nBits++;
    if (lrck !== lastLrck) {
      if (nBits !== 32) {
        throw new Error(`a slot of ${nBits} bits in frame ${recorded[1].length}`);
      }
      recorded[lastLrck].push(word);
      nBits = 0;
      lastLrck = lrck;
    }
  }
  lastBck = bck;
}

if (score.output === "pwm") {
  const slice = chip.pwm.channels[PWM_SLICE];
  const write = slice.writeRegister.bind(slice);
  slice.writeRegister = (offset, value) => {
    if (offset === PWM_CC) {
      recorded[0].push(value & 0xffff);
      recorded[1].push(value & 0xffff);
    }
    write(offset, value);
  };
}

let nFlashes = 0;
chip.gpio[PIN.led].addListener((state) => (nFlashes += state === GPIOPinState.High));

// Bytes arrive at the baud rate of their line.
const lines = [
  { port: "console", uart: chip.uart[0], bytes: [], freeAt: 0 },
  { port: "midi", uart: chip.uart[1], bytes: [], freeAt: 0 },
];
function feed() {
  const now = chip.clock.nanos;
  for (const line of lines) {
    const lasts = (BITS_PER_BYTE * 1e9) / BAUD[line.port];
    while (score.events.some((event) => event.port === line.port && event.frame <= recorded[1].length)) {
      const next = score.events.findIndex((event) => event.port === line.port);
      line.bytes.push(...score.events.splice(next, 1)[0].bytes);
      line.freeAt = Math.max(line.freeAt, now);
    }
    if (line.bytes.length && now >= line.freeAt + lasts) {
      line.freeAt += lasts;
      line.uart.feedByte(line.bytes.shift());
    }
  }
}

// --- time -------------------------------------------------------------------------------------------

const NEVER = 1000; // cycles to sleep if no event is scheduled
let pioDebt = 0; // 256ths of a cycle by which the PIO lags behind the core
const cycles = [];
let startNanos = null; // start of the sound

// Returns the cycles until the next event while the core sleeps.
function sleep(divider) {
  const alarm = chip.clock.nextAlarm ? (chip.clock.nanosToNextAlarm * chip.clkSys) / 1e9 : NEVER;
  const step = machine.enabled ? (divider - pioDebt) / 256 : NEVER;
  return Math.max(1, Math.ceil(Math.min(alarm, step, NEVER)));
}

while (recorded[1].length < score.frames && !nResets) {
  const divider = machine.clockDivInt * 256 + machine.clockDivFrac;
  let spent;
  if (chip.core.waiting) {
    spent = sleep(divider);
  } else {
    spent = chip.core.executeInstruction();
    if (startNanos !== null) {
      const block = Math.floor((chip.clock.nanos - startNanos) / 4e6);
      cycles[block] = (cycles[block] ?? 0) + spent;
    } else if (recorded[1].length > 0) {
      startNanos = chip.clock.nanos;
    }
  }
  chip.clock.tick((spent * 1e9) / chip.clkSys);
  if (machine.enabled) {
    if (score.broken === "sound" && recorded[1].length > score.frames / 2) {
      machine.enabled = false;
    }
    pioDebt += spent * 256;
    while (pioDebt >= divider) {
      pioDebt -= divider;
      machine.step();
      sampleI2s();
    }
  }
  feed();
}

writeFileSync(outPath, new Int32Array(recorded[1].flatMap((right, i) => [recorded[0][i], right])));
console.log(
  JSON.stringify({
    consoleText,
    cycles,
    coreHz: chip.clkSys,
    divider: machine.clockDivInt * 256 + machine.clockDivFrac,
    warnings,
    nResets,
    nFlashes,
  }),
);
