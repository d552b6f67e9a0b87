"""Types that describe a board; `pipeline.target.boards` is the table of boards."""

from collections.abc import Sequence
from dataclasses import dataclass

TINY_COST, REDUCED_COST = 4096, 51_200
"""Cost of models of usual shapes: of tiny ones at 16x8, and of reduced ones at int8."""


@dataclass(frozen=True)
class Core:
    """A processor core.

    Attributes:
        name: Name of the core for readers; "host" is the core of the developer's machine.
        flags: Compiler options that select its instructions and calling convention.
        has_fpu: Whether it computes float32 in hardware.
        has_data_cache: Whether weights in flash are read through a data cache.
        tools: Commands that build its programs.
    """

    name: str
    flags: tuple[str, ...] = ()
    has_fpu: bool = True
    has_data_cache: bool = False
    tools: tuple[str, ...] = ("arm-none-eabi-gcc",)


@dataclass(frozen=True)
class Memory:
    """A range of addresses."""

    address: int
    n_bytes: int


@dataclass(frozen=True)
class WeightMemory:
    """The memory from which a chip is assumed to read code and weights, and its wait states.

    Attributes:
        description: One phrase for reports.
        n_bytes: Space for weights.
        line_bytes: Bytes that one read of the memory returns.
        wait_cycles: Cycles for which the core waits for a line; loops run from the instruction
            cache.
        model_wait_cycles: Cycles for which the core waits for a line of the model, which the
            decoder may have prefetched.
        copied_bytes: Bytes of weights for which there is room in a memory without waits, to which
            they are copied at start-up.
        bank_conflicts: Estimated share of the cycles by which a core takes longer while another
            one, which also reads code and data from that memory, is busy.
    """

    description: str
    n_bytes: int
    line_bytes: int = 1
    wait_cycles: int = 0
    model_wait_cycles: int = 0
    copied_bytes: int = 0
    bank_conflicts: float = 0.0


@dataclass(frozen=True)
class Flasher:
    """How a board is flashed.

    Attributes:
        openocd: Configuration files that come with ``openocd``.
        pyocd: Name of the chip for ``pyocd``.
        has_st_link: Whether the board has an ST-LINK, so that ``st-flash`` works.
        uf2_family: Family of UF2 files that the boot loader accepts; None if it accepts none.
        drive: ``Board-ID`` in the file INFO_UF2.TXT on the boot loader's drive.
    """

    openocd: tuple[str, ...]
    pyocd: str
    has_st_link: bool = False
    uf2_family: int | None = None
    drive: str = ""

    @property
    def remedy(self) -> str:
        """What the user can do when no board answers."""
        if self.drive:
            return (
                f"hold BOOTSEL while you plug it in, and mount the drive {self.drive} "
                "(or use a debug probe and openocd)"
            )
        return "connect its ST-LINK by USB, and install openocd, st-flash or pyocd"


@dataclass(frozen=True)
class Limits:
    """Requirements on a board, for a firmware with one instrument and no reverb.

    Attributes:
        cpu_share: Largest share of the chip's time for one voice.
        note_on_ms: Longest time from a note-on to its first sample.
        flash_bytes: Largest number of bytes of flash.
        ram_bytes: Largest number of bytes of RAM, with one voice.
        worst_share: Largest share of the chip's time for the most expensive block with all voices.
    """

    cpu_share: float
    note_on_ms: float = 10.0
    flash_bytes: int = 128_000
    ram_bytes: int = 32_000
    worst_share: float = 0.85


@dataclass(frozen=True)
class Board:
    """A folder of ``tflm_app/boards``.

    Attributes:
        name: Name of the folder.
        processor: Its core.
        title: The maker's name for the board.
        chip: Name of the chip, or of the emulated machine.
        clock_hz: Clock of the core, or of SysTick on emulated boards; 0 if instructions cannot be
            counted.
        flash: Memory of the image; None on the host and for WebAssembly.
        settings_bytes: Bytes at the end of the flash that hold the settings of the player, where
            no image may lie.
        ram: Memory of data and the stack; None on the same boards.
        n_cores: Number of cores that render voices, 1 or 2.
        n_voices: Default number of the player's voices with a reduced model.
        n_tiny_voices: The same with a tiny model; that of a reduced model if it is 0.
        sample_rate_hz: Default rate of the output.
        has_input: Whether there is a sound input, and an FPU for its analysis.
        reverb_seconds: Longest learnt reverb that chips with this core have memory for; 0 if there
            is no FPU.
        tflm_arch: ``TARGET_ARCH`` of the TensorFlow Lite Micro library; None if the tflm engine
            does not run.
        has_files: Whether programs read and write files of the developer's machine. Such boards run
            tests and benchmarks; the others are flashed and played.
        machine: QEMU machine that runs the board's programs; None if there is none.
        image_emulator: Emulator other than QEMU that runs the board's image.
        emulated_by: Emulated board with the same core, on which instructions are counted.
        weight_memory: Memory that the cycle model assumes for the chip.
        flasher: How the board is flashed; None if it is not.
        limits: Requirements that the benchmark checks; None if there are none.
    """

    name: str
    processor: Core
    title: str
    chip: str
    clock_hz: int
    flash: Memory | None
    ram: Memory | None
    n_cores: int = 1
    n_voices: int = 4
    n_tiny_voices: int = 0
    sample_rate_hz: int = 16_000
    settings_bytes: int = 0
    has_input: bool = False
    reverb_seconds: float = 0.0
    tflm_arch: str | None = None
    has_files: bool = False
    machine: str | None = None
    image_emulator: str = ""
    emulated_by: str = ""
    weight_memory: WeightMemory = WeightMemory("no estimate", 0)
    flasher: Flasher | None = None
    limits: Limits | None = None

    @property
    def wiring(self) -> str:
        """Folder in ``tflm_app/boards`` with the wiring in its README; the Picos share one."""
        return "ports/rp2" if self.flasher and self.flasher.uf2_family else self.name

    def voices_for(self, cost: int) -> int:
        """Returns the default number of the player's voices.

        Models that cost more than a reduced one get fewer voices in proportion, but one per core.

        Args:
            cost: Multiply-accumulates per frame times bytes of an activation, for the costliest
                model of the firmware.
        """
        if cost <= TINY_COST:
            return self.n_tiny_voices or self.n_voices
        return max(self.n_cores, min(self.n_voices, self.n_voices * REDUCED_COST // cost))

    @property
    def core(self) -> str:
        """Name of the core for readers."""
        return self.processor.name

    @property
    def core_flags(self) -> Sequence[str]:
        """Compiler options that select the core."""
        return self.processor.flags

    @property
    def has_fpu(self) -> bool:
        """Whether the core computes float32 in hardware."""
        return self.processor.has_fpu

    @property
    def has_data_cache(self) -> bool:
        """Whether weights in flash are read through a data cache."""
        return self.processor.has_data_cache
