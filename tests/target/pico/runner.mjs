// Runs a UF2 for the Raspberry Pi Pico in rp2040js, without its boot ROM, and records its pins.
//
//     node runner.mjs RP2040JS FIRMWARE.uf2 SCORE.json OUT
//
// SCORE holds
//   frames   number of sound frames to record
//   output   "i2s", or "pwm": both words of a frame are then the duty of slice 4, channel A
//   events   [{frame, port, bytes}]: bytes that arrive at the "midi" or "console" UART, starting at a frame;
//            0x100, 0x200 and 0x400 are added to a byte with a framing error, a parity error, or in a break
//   pots     [{frame, volts}]: the voltages at GPIO26 to 28 from a frame on, 0 to 4095; null if a pin floats, as all do
//            at first
//   usb      events of the USB host (usb_host.mjs); nothing if no host is connected
//   until    text of the console after whose line the run ends; or nothing
//   terminal descriptor of a terminal that does not block, to which the console is connected; or nothing
//   settings path of the last two sectors of the flash: read at the start, if it exists, and written at the end; or
//            nothing: they are blank
//   broken   "crystal" or "pll", which never starts, or "sound", which stops after half the frames, or "core",
//            the second core, which never starts, or "block": after half the frames, that core is halted for
//            the duration of a block; or nothing
//
// Writes the left and right words of every frame (int32) to OUT and prints JSON: the text of the console, the
// active cycles of each core per block of 4 ms, the guard below and the bytes of the stack of each core, the frequency of the
// cores, the divider of the PIO (256ths), warnings of the emulator, resets by the watchdog, flashes of the LED,
// whether the boot loader was started, and what the USB host has found and received.
// Ends early at a reset, at the start of the boot loader, and after the text "until".
//
// rp2040js has one core. The second one is a core of the same class on a second view of the same chip, which
// differs in what each core has for itself: NVIC and SysTick, SIO. The cores run in turns of at most 64 cycles,
// which is shorter than the time between two events outside.
import { existsSync, readFileSync, readSync, writeFileSync, writeSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { UsbHost } from "./usb_host.mjs";

import { installBootRom } from "./boot_rom.mjs";

const [emulatorDir, uf2Path, scorePath, outPath] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(`${emulatorDir}/dist/esm/${file}`));
const { GPIOPinState, RP2040 } = await load("index.js");
const { CortexM0Core } = await load("cortex-m0-core.js");
const { RPPPB } = await load("peripherals/ppb.js");
const { RPSIO } = await load("sio.js");
const score = JSON.parse(readFileSync(scorePath, "utf8"));

const FLASH = 0x10000000;
const SRAM = 0x20000000;
const SETTINGS = 0x1fe000; // offset in the flash of 2 MB
const SETTINGS_END = 0x200000;
const LOADER = 0x20041f00; // the boot ROM copies the first 256 bytes of the flash here
const PIN = { data: 9, bck: 10, lrck: 11, led: 25 };
const PWM_SLICE = 4;
const PWM_CC = 0x0c;
const BAUD = { midi: 31250, console: 115200 };
const BITS_PER_BYTE = 10;

const chip = new RP2040();
const warnings = [];
const note = (name, message) => warnings.push(`${name}: ${message}`);
const info = (name, message) => message === "SEV" && cores.forEach(signal);
chip.logger = { debug() {}, info, warn: note, error: note };
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
let isInLoader = false;
installBootRom(chip, note, () => (isInLoader = true));
if (score.settings !== undefined && existsSync(score.settings)) {
  chip.flash.set(readFileSync(score.settings), SETTINGS);
}

// --- the second core ---------------------------------------------------------------------------------

const view = Object.create(chip);
view.core = new CortexM0Core(view);
view.ppb = new RPPPB(view, "PPB");
view.sio = new RPSIO(view);
const cores = [chip.core]; // those that run; the second one waits in the boot ROM

function signal(core) {
  core.eventRegistered = !core.waiting;
  core.waiting = false;
}

const SIO = { cpuid: 0x00, fifoStatus: 0x50, fifoWrite: 0x54, fifoRead: 0x58, beforeFifo: 0x50 };
const FIFO_WORDS = 8;
const VALID = 1;
const READY = 2;
const fifos = [[], []]; // words to each core

// Adds what rp2040js lacks to the SIO of a core: its number and the FIFOs. Both cores drive the same pins.
function complete(sio, number) {
  const [inbox, outbox] = [fifos[number], fifos[1 - number]];
  const [read, write] = [sio.readUint32.bind(sio), sio.writeUint32.bind(sio)];
  const shared = number === 0 ? write : chip.sio.writeUint32.bind(chip.sio);
  sio.readUint32 = (offset) => {
    if (offset === SIO.cpuid) {
      return number;
    } else if (offset === SIO.fifoStatus) {
      return (inbox.length ? VALID : 0) | (outbox.length < FIFO_WORDS ? READY : 0);
    } else if (offset === SIO.fifoRead) {
      return inbox.shift() ?? 0;
    }
    return read(offset);
  };
  sio.writeUint32 = (offset, value) => {
    if (offset === SIO.fifoWrite) {
      if (outbox.length < FIFO_WORDS) {
        outbox.push(value >>> 0);
        launch?.();
      }
    } else {
      (offset < SIO.beforeFifo ? shared : write)(offset, value);
    }
  };
}
complete(chip.sio, 0);
complete(view.sio, 1);

// The boot ROM on the second core: answers each word of the sequence 0, 0, 1, vector table, stack pointer, entry
// with the same word, and starts over after a zero or what it does not expect (RP2040 datasheet, section 2.8.2).
const words = [];
const tops = [0, 0]; // the initial stack pointers
let launch = () => {
  const word = fifos[1].shift();
  words.push(word);
  if (word === 0 || words[0] !== 1) {
    words.length = 0;
  }
  fifos[0].push(words.length ? word : 0);
  if (words.length === 4) {
    [, view.core.VTOR, view.core.SP, view.core.PC] = words;
    view.core.PC &= ~1;
    tops[1] = view.core.SP;
    cores.push(view.core);
    launch = null;
  }
};
fifos[0].push(0); // which the ROM sends at first
if (score.broken === "core") {
  launch = () => {};
}

// The MPU of each core, which the emulator lacks: keeps the region that guards the stack, without enforcing it.
const MPU = { control: 0xd94, base: 0xd9c };
const guards = [0, 0]; // addresses, once the MPU is on
[chip.ppb, view.ppb].forEach((ppb, number) => {
  const write = ppb.writeUint32.bind(ppb);
  let base = 0;
  ppb.writeUint32 = (offset, value) => {
    if (offset === MPU.base) {
      base = (value & ~0xff) >>> 0;
    } else if (offset === MPU.control) {
      guards[number] = base;
    } else if (offset < MPU.control || offset > MPU.base + 4) {
      write(offset, value);
    }
  };
});

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

const NEWLINE = 10;
let consoleText = "";
let isFinished = false;
chip.uart[0].onByte = (byte) => {
  consoleText += String.fromCharCode(byte);
  isFinished ||= byte === NEWLINE && score.until !== undefined && consoleText.includes(score.until);
  sendToTerminal(byte);
};

const POLL_NANOS = 1e6;
let polledAt = 0;

// Calls the function, which returns a number of bytes; returns 0 if the terminal is not ready.
function transfer(call) {
  try {
    return call();
  } catch (error) {
    if (error.code !== "EAGAIN") {
      throw error;
    }
    return 0;
  }
}

function sendToTerminal(byte) {
  while (score.terminal !== undefined && transfer(() => writeSync(score.terminal, Buffer.of(byte))) === 0) {}
}

function readTerminal() {
  const typed = Buffer.alloc(16);
  const n = transfer(() => readSync(score.terminal, typed));
  typed.subarray(0, n).forEach((byte) => chip.uart[0].feedByte(byte));
}

// A pin that floats keeps the voltage to which it was pulled. A conversion takes 2 us, but never ends without 48 MHz.
const POT_PIN = 26;
const CLOCK_ENABLED = 1 << 11; // CLK_ADC_CTRL: ENABLE, AUXSRC 0, which is the PLL of the USB
const { adc } = chip;
for (let channel = 0; channel < 3; channel++) {
  const pin = chip.gpio[POT_PIN + channel];
  let pad = pin.padValue;
  Object.defineProperty(pin, "padValue", {
    get: () => pad,
    set(value) {
      pad = value;
      if (pin.pullupEnabled !== pin.pulldownEnabled) {
        held[channel] = pin.pullupEnabled ? 4095 : 0;
      }
    },
  });
}
const held = [0, 0, 0];
const volts = [null, null, null];
adc.onADCRead = (channel) => {
  while (score.pots?.length && score.pots[0].frame <= recorded[1].length) {
    volts.splice(0, 3, ...score.pots.shift().volts);
  }
  const pin = chip.gpio[POT_PIN + channel];
  const isPulled = pin.pullupEnabled || pin.pulldownEnabled || pin.inputEnable;
  adc.channelValues[channel] = isPulled ? 2048 : (volts[channel] ?? held[channel]);
  adc.currentChannel = channel;
  if (chip.clocks.adcCtrl === CLOCK_ENABLED && chip.pllUsb.frequency === 48e6) {
    adc.sampleAlarm.schedule(adc.sampleTime * 1000);
  }
};

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
  if (score.terminal !== undefined && now - polledAt >= POLL_NANOS) {
    polledAt = now;
    readTerminal();
  }
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

const usbHost = score.usb && new UsbHost(chip, score.usb);

// --- time -------------------------------------------------------------------------------------------

const WINDOW = 64; // cycles in which the cores run one after the other, at most
const NEVER = 1000; // cycles to sleep if no event is scheduled
let pioDebt = 0; // 256ths of a cycle by which the PIO lags behind the cores
const ahead = [0, 0]; // cycles by which the last instruction of each core exceeded a window
const cycles = [[], []];
const lowest = [Infinity, Infinity]; // stack pointers
let startNanos = null; // start of the sound
let haltNanos = null; // the second core is halted until then

// Runs a core for some cycles, or until it sleeps; returns the cycles in which it was active.
function execute(number, window) {
  const core = cores[number];
  const { registers } = core;
  let lowestSp = lowest[number];
  let spent = ahead[number];
  while (spent < window && !core.waiting) {
    spent += core.executeInstruction();
    if (registers[13] < lowestSp) {
      lowestSp = registers[13];
    }
  }
  const active = spent - ahead[number];
  ahead[number] = Math.max(0, spent - window);
  if (startNanos !== null) {
    lowest[number] = lowestSp;
  }
  return active;
}

function isHalted(number) {
  const isDue = score.broken === "block" && number === 1 && recorded[1].length > score.frames / 2;
  haltNanos ??= isDue ? chip.clock.nanos + 4e6 : null;
  return number === 1 && haltNanos !== null && chip.clock.nanos < haltNanos;
}

// Returns the cycles until the next event: an alarm of the emulator or a step of the PIO.
function untilEvent(divider) {
  const alarm = chip.clock.nextAlarm ? (chip.clock.nanosToNextAlarm * chip.clkSys) / 1e9 : NEVER;
  const step = machine.enabled ? (divider - pioDebt) / 256 : NEVER;
  return Math.max(1, Math.ceil(Math.min(alarm, step, NEVER)));
}

function run() {
  while (recorded[1].length < score.frames && !nResets && !isInLoader && !isFinished) {
    const divider = machine.clockDivInt * 256 + machine.clockDivFrac;
    if (startNanos === null && recorded[1].length > 0) {
      startNanos = chip.clock.nanos;
    }
    const isAwake = cores.some((core) => !core.waiting);
    const window = isAwake ? Math.min(untilEvent(divider), WINDOW) : untilEvent(divider);
    for (let number = 0; number < cores.length; number++) {
      const active = isHalted(number) ? 0 : execute(number, window);
      if (active > 0 && startNanos !== null) {
        const block = Math.floor((chip.clock.nanos - startNanos) / 4e6);
        cycles[number][block] = (cycles[number][block] ?? 0) + active;
      }
    }
    chip.clock.tick((window * 1e9) / chip.clkSys);
    if (machine.enabled) {
      if (score.broken === "sound" && recorded[1].length > score.frames / 2) {
        machine.enabled = false;
      }
      pioDebt += window * 256;
      while (pioDebt >= divider) {
        pioDebt -= divider;
        machine.step();
        sampleI2s();
      }
    }
    feed();
    usbHost?.step(chip.clock.nanos, recorded[1].length);
  }
}
run();

if (score.settings !== undefined) {
  writeFileSync(score.settings, chip.flash.subarray(SETTINGS, SETTINGS_END));
}
tops[0] = chip.readUint32(chip.core.VTOR);
writeFileSync(outPath, new Int32Array(recorded[1].flatMap((right, i) => [recorded[0][i], right])));
console.log(
  JSON.stringify({
    consoleText,
    cycles,
    guards,
    stackBytes: tops.map((top, number) => Math.max(0, top - lowest[number])),
    coreHz: chip.clkSys,
    divider: machine.clockDivInt * 256 + machine.clockDivFrac,
    warnings,
    nResets,
    nFlashes,
    isInLoader,
    usb: usbHost?.report(),
  }),
);
