"""A USB host for the C of ``tflm_app/usb``, which runs here above a model of a controller."""

import struct
import subprocess
from contextlib import AbstractContextManager
from enum import IntEnum
from pathlib import Path

from pipeline.core.paths import APP_DIR
from pipeline.target.build import Program, build_program

FOLDER = Path(__file__).parents[1] / "target" / "usb"
BOARDS = APP_DIR / "boards"
DEVICE_SOURCES = sorted((APP_DIR / "usb").glob("*.c"))
ANY = "any"
CONTROLLERS = (ANY, "stm32f4_discovery", "nucleo_h743zi")
"""What the device runs on in the tests: a model that knows what every controller has, and the
driver of the STM32 boards above a model of their controller."""
PACKET_BYTES = 64
ADDRESS = 5

# bmRequestType
TO_HOST, TO_INTERFACE, TO_ENDPOINT, CLASS_TO_INTERFACE = 0x80, 1, 2, 0x21
# bRequest
GET_STATUS, CLEAR_FEATURE, SET_FEATURE, SET_ADDRESS, GET_DESCRIPTOR = 0, 1, 3, 5, 6
GET_CONFIGURATION, SET_CONFIGURATION, GET_INTERFACE, SET_INTERFACE = 8, 9, 10, 11
SET_LINE_CODING, GET_LINE_CODING, SET_CONTROL_LINE_STATE = 0x20, 0x21, 0x22
# bulk endpoints
CONSOLE, MIDI = 2, 3


class Handshake(IntEnum):
    """The answer of the device to a transaction."""

    TIMEOUT = 0
    ACK = 1
    NAK = 2
    STALL = 3


def sources_of(controller: str) -> tuple[list[Path], list[Path], list[str]]:
    """Returns sources, include folders and definitions of the device on one of `CONTROLLERS`."""
    if controller == ANY:
        return [FOLDER / "bus.c", *DEVICE_SOURCES], [FOLDER], []
    sources = [*sorted(FOLDER.glob("otg_*.c")), *DEVICE_SOURCES]
    ports = [BOARDS / "ports" / name for name in ("stm32", "usb")]
    folders = [FOLDER, BOARDS / controller, *ports, BOARDS]
    return sources, folders, ["FAKE_REGISTERS", "BOARD_USB", "CAN_HOLD"]


def build(folder: Path, controller: str) -> Program:
    """Builds the device on one of `CONTROLLERS`, under AddressSanitizer and UBSan."""
    sources, folders, defines = sources_of(controller)
    return build_program(
        "host",
        [FOLDER / "host.c", *sources],
        out=folder / controller,
        include_dirs=folders,
        defines=defines,
        sanitize=True,
    )


def request(kind: int, code: int, value: int = 0, index: int = 0, length: int = 0) -> bytes:
    """Returns the eight bytes of a SETUP packet."""
    return struct.pack("<BBHHH", kind, code, value, index, length)


def get_descriptor(kind: int, index: int = 0, length: int = 255) -> bytes:
    return request(TO_HOST, GET_DESCRIPTOR, kind << 8 | index, 0, length)


class UsbBus(AbstractContextManager["UsbBus"]):
    """The transactions of a host, and the calls of the device's main loop.

    Attributes:
        address: Address that transactions go to.
        toggles: Toggle of the next packet from the host, by endpoint number.
    """

    def __init__(self, program: Program) -> None:
        self._process = subprocess.Popen(
            [program.elf], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.address = 0
        self.toggles = {CONSOLE: 0, MIDI: 0}

    def __exit__(self, *error: object) -> None:
        _, report = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, report.decode()

    def _transact(
        self, code: str, number: int = 0, data: bytes = b"", toggle: int = 0
    ) -> tuple[Handshake, int, bytes]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        head = bytes([ord(code), self.address, number, toggle, len(data)])
        self._process.stdin.write(head + data)
        self._process.stdin.flush()
        answer = self._process.stdout.read(3)
        if len(answer) < 3:
            raise AssertionError(self._process.communicate()[1].decode())
        handshake, pid, n_bytes = answer
        return Handshake(handshake), pid, self._process.stdout.read(n_bytes)

    # --- the bus

    def reset(self) -> None:
        self._transact("R")
        self.address = 0

    def suspend(self) -> None:
        self._transact("S")

    def setup(self, setup: bytes) -> Handshake:
        return self._transact("T", data=setup)[0]

    def read(self, number: int) -> tuple[Handshake, int, bytes]:
        """Executes an IN transaction; returns the handshake, the toggle, and the data."""
        return self._transact("I", number)

    def write(self, number: int, data: bytes, toggle: int) -> Handshake:
        """Executes an OUT transaction."""
        return self._transact("O", number, data, toggle)[0]

    def send(self, number: int, data: bytes) -> Handshake:
        """Sends a packet to a bulk endpoint with the right toggle."""
        handshake = self.write(number, data, self.toggles[number])
        self.toggles[number] ^= handshake is Handshake.ACK
        return handshake

    def control(self, setup: bytes, data: bytes = b"") -> bytes | None:
        """Executes a control transfer and checks its toggles; returns its data, None if refused."""
        assert self.setup(setup) is Handshake.ACK
        length = struct.unpack("<BBHHH", setup)[4]
        received, toggle = b"", 1
        receives = setup[0] & TO_HOST and length > 0
        while receives:
            handshake, pid, packet = self.read(0)
            if handshake is Handshake.STALL:
                return None
            assert (handshake, pid) == (Handshake.ACK, toggle)
            received += packet
            toggle ^= 1
            if len(packet) < PACKET_BYTES or len(received) >= length:
                break
        for start in range(0, len(data), PACKET_BYTES):
            if self.write(0, data[start : start + PACKET_BYTES], toggle) is Handshake.STALL:
                return None
            toggle ^= 1
        if receives:
            assert self.write(0, b"", 1) is Handshake.ACK
            return received
        status = self.read(0)
        assert status in ((Handshake.ACK, 1, b""), (Handshake.STALL, 0, b""))
        return b"" if status[0] is Handshake.ACK else None

    def enumerate(self, *, opens_terminal: bool = True) -> None:
        """Resets the bus, assigns the address, selects the configuration, and sets DTR."""
        self.reset()
        assert self.control(request(0, SET_ADDRESS, ADDRESS)) == b""
        self.address = ADDRESS
        assert self.control(request(0, SET_CONFIGURATION, 1)) == b""
        self.toggles = {CONSOLE: 0, MIDI: 0}
        if opens_terminal:
            assert self.control(request(CLASS_TO_INTERFACE, SET_CONTROL_LINE_STATE, 3)) == b""

    def hold(self, is_held: bool) -> None:
        """Keeps the device's interrupt from occurring, or lets it occur."""
        self._transact("H", number=is_held)

    def answer_with(self, n_bytes: int) -> None:
        """Makes the device answer every request with the bytes 0, 1, 2 ...; 0 ends that."""
        self._transact("L", data=struct.pack("<H", n_bytes))

    # --- the main loop of the device

    def read_midi(self, capacity: int = 255) -> bytes:
        return self._transact("M", capacity)[2]

    def read_console(self, capacity: int = 255) -> bytes:
        return self._transact("C", capacity)[2]

    def write_midi(self, data: bytes) -> None:
        self._transact("m", data=data)

    def write_console(self, text: bytes) -> None:
        self._transact("c", data=text)

    @property
    def n_errors(self) -> int:
        return self._transact("E")[2][0]
