// The device's side of the USB, as the controller of the chip behaves.
//
// rp2040js completes every packet at once, whether or not a host asks for it. Here the controller keeps a packet
// until the host's token, and answers NAK and STALL (RP2040 datasheet, section 4.1.2), so that the host decides
// when it reads. The interrupt of the controller is pending until its handler begins, and again if its cause is still
// there when the handler ends; in the emulator, one that is made pending by software would stay so.
//
// The chip is one before stepping B2 (SYSINFO), and the bus is busy with the traffic of other devices. So after a reset
// the device answers nothing until its input was idle for 800 us, which it has to force (erratum RP2040-E5).

const DPRAM = { control: 0x08, bufferControl: 0x80, buffer0: 0x100 };
const AVAILABLE = 1 << 10;
const STALL = 1 << 11;
const PID = 1 << 13;
const FULL = 1 << 15;
const LENGTH = 0x3ff;
const ENABLED = 1 << 31;
const PULLUP = 1 << 16;
export const SIE = { status: 0x50, suspended: 1 << 4, resume: 1 << 11, setup: 1 << 17, reset: 1 << 19 };
export const PACKET = 64;
const IRQ = 5;
// Erratum RP2040-E5: the input of the controller comes from GPIO 15, with an override, instead of the bus
const MUXING = { offset: 0x74, fromBus: 0b1001, fromPin: 0b1100 };
const PHY = { direct: 0x7c, override: 0x80, pullup: 1 << 1, overridesPullup: 1 << 2 };
const LINE = { mask: 3 << 2, j: 1 << 2, connected: 1 << 16 };
const PIN_DP = 15;
const PIN_FORCED_HIGH = (3 << 16) | (2 << 12) | 8;
const IDLE = 800_000; // nanoseconds

// The methods setup, in and out are transactions and return the handshake, or the data.
export class Bus {
  constructor(chip, complain) {
    this.chip = chip;
    this.usb = chip.usbCtrl;
    this.complain = complain;
    this.usb.DPRAMUpdated = () => {};
    const write = this.usb.writeUint32.bind(this.usb);
    this.usb.writeUint32 = (offset, value) => {
      if (offset === SIE.status) {
        const line = this.usb.sieStatus & (LINE.mask | LINE.connected); // which the emulator changes
        this.usb.sieStatus &= ~(this.usb.rawWriteValue & SIE.suspended); // which the emulator lacks
        write(offset, value);
        this.usb.sieStatus = (this.usb.sieStatus & ~(LINE.mask | LINE.connected)) | line;
      } else if (offset === MUXING.offset) {
        this.selectInput(value);
      } else if (offset in this.phy) {
        this.phy[offset] = value;
      } else {
        write(offset, value);
      }
    };
    this.correctInterrupt(chip.core);
    this.pin = chip.gpio[PIN_DP];
    this.phy = { [PHY.direct]: 0, [PHY.override]: 0 };
    this.isInReset = false;
    this.answers = false;
    this.idleSince = null; // while the device forces it
    this.pinBefore = null;
  }

  // What the device must leave as it was.
  get pinState() {
    return [this.pin.ctrl, this.pin.padValue, this.phy[PHY.direct], this.phy[PHY.override]].join();
  }

  // The host begins to reset the device (SE0), or ends it.
  reset(isInReset) {
    this.isInReset = isInReset;
    this.usb.sieStatus &= ~LINE.mask;
    if (isInReset) {
      this.pinBefore ??= this.pinState;
      this.answers = false;
      this.usb.sieStatus &= ~LINE.connected;
      this.setStatus(SIE.reset);
    } else {
      this.usb.sieStatus |= LINE.j;
    }
  }

  // The device selects what its controller sees.
  selectInput(muxing) {
    const now = this.chip.clock.nanos;
    const isForced =
      muxing === MUXING.fromPin &&
      this.pin.ctrl === PIN_FORCED_HIGH &&
      (this.phy[PHY.direct] & PHY.pullup) !== 0 &&
      (this.phy[PHY.override] & PHY.overridesPullup) !== 0;
    if (isForced && !this.isInReset) {
      this.idleSince = now;
    } else if (muxing === MUXING.fromBus) {
      this.answers ||= this.idleSince !== null && now - this.idleSince >= IDLE && !this.isInReset;
      this.usb.sieStatus |= this.answers ? LINE.connected : 0;
      this.idleSince = null;
    } else {
      this.complain(`an input of the controller, ${muxing}, that is neither the bus nor idle`);
    }
  }

  correctInterrupt(core) {
    const [enter, leave] = [core.exceptionEntry.bind(core), core.exceptionReturn.bind(core)];
    core.exceptionEntry = (number) => {
      core.pendingInterrupts &= number === 16 + IRQ ? ~(1 << IRQ) : ~0;
      enter(number);
    };
    core.exceptionReturn = (value) => {
      leave(value);
      if (this.usb.intStatus) {
        core.setInterrupt(IRQ, true);
      }
    };
  }

  get isConnected() {
    return (this.usb.mainCtrl & 1) !== 0 && (this.usb.sieCtrl & PULLUP) !== 0;
  }

  setStatus(bits) {
    this.usb.sieStatus |= bits;
    this.usb.sieStatusUpdated();
  }

  // Returns where the buffer control of an endpoint and its buffer are, or null if it is not enabled.
  find(address, number, isOut) {
    const { usbDPRAMView: memory } = this.chip;
    if (!this.answers) {
      return null;
    }
    const control = number === 0 ? 0 : memory.getUint32(DPRAM.control + 8 * (number - 1) + 4 * isOut, true);
    if ((this.usb.addrEndp & 0x7f) !== address || (number > 0 && (control & ENABLED) === 0)) {
      return null;
    }
    const at = DPRAM.bufferControl + 8 * number + 4 * isOut;
    return { at, buffer: number === 0 ? DPRAM.buffer0 : control & 0xffc0, value: memory.getUint32(at, true) };
  }

  isStalled(value, number, isOut) {
    return (value & STALL) !== 0 && (number > 0 || ((this.usb.epStallArm >> isOut) & 1) !== 0);
  }

  setup(address, bytes) {
    if (!this.answers || (this.usb.addrEndp & 0x7f) !== address) {
      return "timeout";
    }
    if (this.pinState !== this.pinBefore) {
      this.complain(`GPIO 15 and the pull-up are not as they were: ${this.pinState}, not ${this.pinBefore}`);
    }
    this.usb.epStallArm &= ~3;
    this.chip.usbDPRAM.set(bytes, 0);
    this.setStatus(SIE.setup);
    return "ack";
  }

  in(address, number) {
    const endpoint = this.find(address, number, 0);
    if (endpoint === null) {
      return { handshake: "timeout" };
    }
    const { at, buffer, value } = endpoint;
    if (this.isStalled(value, number, 0)) {
      return { handshake: "stall" };
    }
    if ((value & AVAILABLE) === 0) {
      return { handshake: "nak" };
    }
    if ((value & FULL) === 0 || (value & LENGTH) > PACKET) {
      this.complain(`a buffer of endpoint ${number} to the host with control ${value.toString(16)}`);
    }
    this.chip.usbDPRAMView.setUint32(at, value & ~(AVAILABLE | FULL), true);
    this.usb.indicateBufferReady(number, false);
    const data = [...this.chip.usbDPRAM.subarray(buffer, buffer + (value & LENGTH))];
    return { handshake: "ack", data, pid: (value & PID) !== 0 ? 1 : 0 };
  }

  out(address, number, data, pid) {
    const endpoint = this.find(address, number, 1);
    if (endpoint === null) {
      return "timeout";
    }
    const { at, buffer, value } = endpoint;
    if (this.isStalled(value, number, 1)) {
      return "stall";
    }
    if ((value & AVAILABLE) === 0) {
      return "nak";
    }
    if (((value & PID) !== 0 ? 1 : 0) !== pid || (value & LENGTH) < data.length || (value & FULL) !== 0) {
      this.complain(`endpoint ${number} from the host expects ${value.toString(16)}, not DATA${pid}`);
      return "ack"; // a packet with another toggle is taken for a repetition and dropped
    }
    this.chip.usbDPRAM.set(data, buffer);
    this.chip.usbDPRAMView.setUint32(at, (value & ~(AVAILABLE | LENGTH)) | FULL | data.length, true);
    this.usb.indicateBufferReady(number, true);
    return "ack";
  }
}
