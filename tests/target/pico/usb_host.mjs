// A USB host for the device in rp2040js (usb_bus.mjs): enumerates it as an operating system does, and then sends and
// reads MIDI and console text. Every transaction checks the data toggles. A full frame of 1 ms takes at most a few
// transactions.
//
// The events of the score for the host are [{frame, action, bytes}]:
//   midi, console   send bytes to the bulk endpoint of that function, in packets of up to 64
//   request         a control transfer: the 8 bytes of SETUP, and the data to the device, if any
//   stop, go        stop reading the bulk endpoints; go on
//   flood           read the device descriptor without a pause from now on
//   suspend, resume, reset (which also enumerates again)

import { Bus, PACKET, SIE } from "./usb_bus.mjs";

const MICROSECOND = 1000;
const MILLISECOND = 1000 * MICROSECOND;
const TRANSACTION = 60 * MICROSECOND; // of 64 bytes at 12 Mbit/s, with what surrounds them
const TIMEOUT = 500 * MILLISECOND;
const RESET = 4 * MILLISECOND; // these two are shorter than the 10 ms of a host (USB 2.0, section 7.1.7.5)
const RECOVERY = 6 * MILLISECOND;
const ADDRESS = 5;
const UART = { data: 0x00, flags: 0x18, full: 1 << 5, fifoBytes: 32, byteNanos: 1e10 / 115200 };

// Makes a UART send at the speed of its line; in the emulator every byte has left at once, so that a text arrives
// faster at the USB than any host reads.
function paceUart(chip, uart) {
  const [read, write] = [uart.readUint32.bind(uart), uart.writeUint32.bind(uart)];
  let sentAt = 0; // when the FIFO is empty
  uart.writeUint32 = (offset, value) => {
    if (offset === UART.data) {
      sentAt = Math.max(sentAt, chip.clock.nanos) + UART.byteNanos;
    }
    write(offset, value);
  };
  uart.readUint32 = (offset) => {
    const isFull = sentAt - chip.clock.nanos > (UART.fifoBytes - 1) * UART.byteNanos;
    return offset === UART.flags && isFull ? read(offset) | UART.full : read(offset);
  };
}

const word = (value) => [value & 0xff, value >> 8];
const GET = 0x80;
const TO_ENDPOINT = 2;
const CLEAR_FEATURE = 1;
const CLASS_INTERFACE = 0x21;
const request = (type, code, value, index, length) => [type, code, ...word(value), ...word(index), ...word(length)];
const getDescriptor = (type, index, length) => request(GET, 6, (type << 8) | index, 0, length);
const LINE_CODING = [0x80, 0x25, 0, 0, 0, 0, 8]; // 9600 baud, 8N1
const DTR_AND_RTS = 3;

export class UsbHost {
  constructor(chip, events) {
    this.errors = [];
    this.bus = new Bus(chip, (message) => this.errors.push(message));
    paceUart(chip, chip.uart[0]);
    this.events = events;
    this.found = { strings: [], requests: [] };
    this.text = "";
    this.midi = [];
    this.queues = { midi: [], console: [] };
    this.isReading = true;
    this.isSuspended = false;
    this.isFlooding = false;
    this.program = this.run();
    this.dueAt = 0;
  }

  // Advances to `now` (nanoseconds since the start) and `frame` (of sound).
  step(now, frame) {
    this.frame = frame;
    if (now >= this.dueAt) {
      this.now = now;
      this.dueAt = now + (this.program.next().value ?? Infinity);
    }
  }

  *retry(transact) {
    const until = this.now + TIMEOUT;
    for (;;) {
      const answer = transact();
      yield TRANSACTION;
      if ((answer.handshake ?? answer) !== "nak") {
        return answer;
      }
      if (this.now > until) {
        throw new Error("the device answers NAK for half a second");
      }
    }
  }

  // Returns the data of a control transfer, or null if it was refused.
  *control(setup, toDevice = []) {
    const handshake = this.bus.setup(this.address, setup);
    yield TRANSACTION;
    if (handshake !== "ack") {
      throw new Error(`no answer at address ${this.address}`);
    }
    const length = setup[6] | (setup[7] << 8);
    const data = [];
    let pid = 1;
    const receives = (setup[0] & GET) !== 0 && length > 0;
    for (let isLast = length === 0; !isLast; pid ^= 1) {
      if (receives) {
        const answer = yield* this.retry(() => this.bus.in(this.address, 0));
        if (answer.handshake === "stall") {
          return null;
        }
        if (answer.pid !== pid) {
          this.errors.push(`DATA${answer.pid} in the data stage instead of DATA${pid}`);
        }
        data.push(...answer.data);
        isLast = answer.data.length < PACKET || data.length >= length;
      } else {
        const packet = toDevice.splice(0, PACKET);
        if ((yield* this.retry(() => this.bus.out(this.address, 0, packet, pid))) === "stall") {
          return null;
        }
        isLast = toDevice.length === 0;
      }
    }
    const status = yield* this.retry(() =>
      receives ? this.bus.out(this.address, 0, [], 1) : this.bus.in(this.address, 0),
    );
    if (!receives && status.handshake === "ack" && (status.pid !== 1 || status.data.length !== 0)) {
      this.errors.push("the status stage is not an empty DATA1");
    }
    if (setup[0] === TO_ENDPOINT && setup[1] === CLEAR_FEATURE) {
      this.toggles[setup[4] & GET ? "in" : "out"][setup[4] & 0xf] = 0;
    }
    return (status.handshake ?? status) === "stall" ? null : data;
  }

  *reset() {
    this.bus.reset(true);
    this.address = 0;
    yield RESET;
    this.bus.reset(false);
    yield RECOVERY;
  }

  *enumerate() {
    yield* this.reset();
    const start = yield* this.control(getDescriptor(1, 0, 64));
    yield* this.reset(); // as Linux and Windows do once they know the size of endpoint 0
    yield* this.control(request(0, 5, ADDRESS, 0, 0));
    this.address = ADDRESS;
    yield 2 * MILLISECOND;
    const { found } = this;
    found.device = yield* this.control(getDescriptor(1, 0, 18));
    found.qualifier = yield* this.control(getDescriptor(6, 0, 10));
    const head = yield* this.control(getDescriptor(2, 0, 9));
    found.configuration = yield* this.control(getDescriptor(2, 0, head[2] | (head[3] << 8)));
    found.strings = [];
    for (let index = 0; index <= 3; index++) {
      found.strings.push(yield* this.control(getDescriptor(3, index, 255)));
    }
    if (JSON.stringify(start) !== JSON.stringify(found.device)) {
      this.errors.push("the device descriptor changes with the address");
    }
    yield* this.control(request(0, 9, 1, 0, 0));
    yield* this.control(request(CLASS_INTERFACE, 0x20, 0, 0, LINE_CODING.length), [...LINE_CODING]);
    found.lineCoding = yield* this.control(request(CLASS_INTERFACE | GET, 0x21, 0, 0, 7));
    yield* this.control(request(CLASS_INTERFACE, 0x22, DTR_AND_RTS, 0, 0));
    this.toggles = { in: {}, out: {} };
    this.found.configuredAt ??= this.frame;
  }

  *send(number, queue) {
    if (queue.length) {
      const pid = this.toggles.out[number] ?? 0;
      const handshake = this.bus.out(this.address, number, queue[0], pid);
      yield TRANSACTION;
      if (handshake === "ack") {
        queue.shift();
        this.toggles.out[number] = pid ^ 1;
      }
    }
  }

  // Reads an endpoint until it answers NAK, at most five times.
  *read(number) {
    for (let n = 0; n < 5; n++) {
      const answer = this.bus.in(this.address, number);
      yield TRANSACTION;
      if (answer.handshake !== "ack") {
        return;
      }
      const pid = this.toggles.in[number] ?? 0;
      if (answer.pid !== pid) {
        this.errors.push(`DATA${answer.pid} from endpoint ${number} instead of DATA${pid}`);
      }
      this.toggles.in[number] = pid ^ 1;
      if (number === 2) {
        this.text += String.fromCharCode(...answer.data);
      } else {
        this.midi.push(answer.data);
      }
    }
  }

  *obey({ action, bytes }) {
    if (action in this.queues) {
      for (let i = 0; i < bytes.length; i += PACKET) {
        this.queues[action].push(bytes.slice(i, i + PACKET));
      }
    } else if (action === "request") {
      this.found.requests.push(yield* this.control(bytes.slice(0, 8), bytes.slice(8)));
    } else if (action === "stop" || action === "go") {
      this.isReading = action === "go";
    } else if (action === "flood") {
      this.isFlooding = true;
    } else if (action === "suspend") {
      this.isSuspended = true;
      this.bus.setStatus(SIE.suspended);
    } else if (action === "resume") {
      this.isSuspended = false;
      this.bus.setStatus(SIE.resume);
    } else if (action === "reset") {
      this.isSuspended = false;
      yield* this.enumerate();
    } else {
      throw new Error(`unknown action ${action}`);
    }
  }

  *run() {
    while (!this.bus.isConnected) {
      yield MILLISECOND;
    }
    yield* this.enumerate();
    for (;;) {
      const frameEnd = this.now + MILLISECOND;
      while (this.events.length && this.events[0].frame <= this.frame) {
        yield* this.obey(this.events.shift());
      }
      if (!this.isSuspended) {
        yield* this.send(3, this.queues.midi);
        yield* this.send(2, this.queues.console);
        if (this.isReading) {
          yield* this.read(3);
          yield* this.read(2);
        }
        while (this.isFlooding && this.now < frameEnd - MILLISECOND / 5) {
          yield* this.control(getDescriptor(1, 0, 18));
        }
      }
      yield Math.max(TRANSACTION, frameEnd - this.now);
    }
  }

  report() {
    return { ...this.found, text: this.text, midi: this.midi, errors: this.errors, nLeft: this.queues.midi.length };
  }
}
