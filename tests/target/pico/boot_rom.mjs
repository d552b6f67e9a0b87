// What the firmware calls of the boot ROM of the RP2040, which the emulator lacks: the look-up of a function by its
// code, the functions that write the flash, and the one that starts the boot loader.
//
// The functions keep the rules of the chip: the flash is programmed and erased only between flash_exit_xip and
// flash_enter_cmd_xip, in whole pages and sectors; programming clears bits; nobody reads the flash meanwhile. The
// processor waits in a loop, so interrupts go on, for the longest times of a W25Q16JV (its data sheet, section 9.6).
// Source: RP2040 datasheet, section 2.8.3.

const TABLE = 0x14; // halfwords: tables of functions and of data, and the look-up function
const TABLE_AT = 0x100; // entries are at multiples of 4: code, address
const CODE_AT = 0x200;
const FLASH = 0x10000000;
const PAGE = { bytes: 256, nanos: 3e6 };
const SECTOR = { bytes: 4096, nanos: 400e6 };

const BKPT = 0xbe00; // with a number of 8 bits
const BX_LR = 0x4770;
const LOOP = [0x2800, 0xd1fc]; // cmp r0, #0; bne to the instruction before
const BUSY = 0xff; // returns whether the flash is busy in r0
const LOOK_UP = 0;

// Installs the functions; `note` is called with what breaks a rule, and `reset` if the loader is started.
export function installBootRom(chip, note, reset) {
  let isConnected = false;
  let isReadable = true;
  let busyUntil = 0;

  const reads = ["readUint32", "readUint16", "readUint8"];
  function setReadable(value) {
    isReadable = value;
    for (const name of reads) {
      delete chip[name];
      if (!value) {
        const read = chip[name].bind(chip);
        chip[name] = (address) => {
          if (address >>> 24 === FLASH >>> 24 || address >>> 24 === 0x13) {
            note("boot ROM", `a read of the flash at ${address.toString(16)} while it is written`);
          }
          return read(address);
        };
      }
    }
  }

  function write(offset, nBytes, unit, change) {
    if (isReadable || !isConnected) {
      note("boot ROM", "the flash is written before flash_exit_xip");
    } else if (nBytes === 0 || offset % unit.bytes || nBytes % unit.bytes) {
      note("boot ROM", `${nBytes} bytes at ${offset} are not whole pages or sectors`);
    } else {
      for (let i = 0; i < nBytes; i++) {
        chip.flash[offset + i] = change(chip.flash[offset + i], i);
      }
      busyUntil = chip.clock.nanos + (nBytes / unit.bytes) * unit.nanos;
    }
  }

  const functions = {
    IF: () => (isConnected = true),
    EX: () => setReadable(false),
    RE: ([offset, nBytes]) => write(offset, nBytes, SECTOR, () => 0xff),
    RP: ([offset, from, nBytes]) => write(offset, nBytes, PAGE, (old, i) => old & chip.sram[from - 0x20000000 + i]),
    FC: () => {},
    CX: () => setReadable(true),
    UB: reset,
  };
  const codes = Object.keys(functions);

  const rom = new DataView(chip.bootrom.buffer);
  const put = (at, ...halfwords) => halfwords.forEach((word, i) => rom.setUint16(at + 2 * i, word, true));
  const address = (number) => CODE_AT + 16 * number + 1; // of function `number`; the lowest bit selects Thumb
  put(TABLE, TABLE_AT, 0, address(LOOK_UP));
  put(address(LOOK_UP) - 1, BKPT | LOOK_UP, BX_LR);
  codes.forEach((code, i) => {
    put(TABLE_AT + 4 * i, code.charCodeAt(0) | (code.charCodeAt(1) << 8), address(i + 1));
    put(address(i + 1) - 1, BKPT | (i + 1), BKPT | BUSY, ...LOOP, BX_LR);
  });

  chip.onBreak = (number) => {
    const { registers } = chip.core;
    if (number === LOOK_UP) {
      let at = registers[0];
      while (rom.getUint16(at, true) && rom.getUint16(at, true) !== registers[1]) {
        at += 4;
      }
      registers[0] = rom.getUint16(at, true) ? rom.getUint16(at + 2, true) : 0;
    } else if (number === BUSY) {
      registers[0] = chip.clock.nanos < busyUntil ? 1 : 0;
    } else if (number <= codes.length) {
      functions[codes[number - 1]]([...registers.subarray(0, 4)].map((value) => value >>> 0));
    } else {
      note("boot ROM", `breakpoint ${number}`);
    }
  };
}
