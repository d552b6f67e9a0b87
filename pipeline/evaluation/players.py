"""Plays a recording with every system: loads float models, builds firmware, and renders."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.audio.features import Features
from pipeline.audio.level import amplify
from pipeline.audio.lpc import lpc_anchor, lpc_noise_anchor
from pipeline.audio.pcm import Pcm, from_pcm, to_pcm
from pipeline.evaluation.comparison import compare_to_float
from pipeline.evaluation.rendering import Array, render_float
from pipeline.evaluation.systems import LPC, LPC_NOISE, REFERENCE, System
from pipeline.model.ddx7 import Ddx7, load_model
from pipeline.model.measurement import Figures
from pipeline.target import firmware, sources
from pipeline.target.boards import FILE_BOARDS

REVERB_BOARD = "qemu_m7"  # has memory for the whole learnt reverb


@dataclass(frozen=True)
class Played:
    """What a system played for a recording.

    Attributes:
        pcm: int16, as long as the recording.
        to_float: Difference from the float model, for firmware (`compare_to_float`).
    """

    pcm: Pcm
    to_float: Figures = field(default_factory=dict)


class Players:
    """The models and the firmware of an instrument's systems.

    Attributes:
        models: Float model of every variant, including those that only the firmware plays.
        firmware: Firmware of every system that it plays.
    """

    def __init__(self, instrument: str, files: Mapping[System, Path], board: str) -> None:
        """Loads models and builds firmware.

        Args:
            instrument: Instrument that the models must belong to.
            files: Model file of every system, from `find_models`.
            board: Board that runs the firmware; the firmware with a reverb runs on `REVERB_BOARD`
                if this board lacks the memory.

        Raises:
            UserError: A model is damaged, or a tool is missing.
        """
        self.models: dict[str, Ddx7] = {}
        self.firmware: dict[System, firmware.Firmware] = {}
        for system, path in files.items():
            assert system.variant is not None
            if system.variant not in self.models:
                self.models[system.variant] = load_model(path.parent, instrument=instrument)
            if system.is_firmware:
                self.firmware[system] = _build(path.parent, system, board)

    def play(
        self,
        systems: list[System],
        audio: Array,
        features: Features,
        live_features: Features | None = None,
        *,
        gain_db: float = 0.0,
    ) -> dict[System, Played]:
        """Plays a recording with the reference, the anchors and some systems.

        Args:
            systems: Systems whose models were loaded.
            audio: The recording, shape [n].
            features: Its features at the calibrated level.
            live_features: Those that the firmware would measure, for live systems.
            gain_db: The gain that calibrates the recording. Models play at the calibrated level;
                their output is brought back to the recording's.
        """
        played = {
            REFERENCE: Played(to_pcm(audio)),
            LPC: Played(to_pcm(lpc_anchor(audio, features.f0_hz))),
            LPC_NOISE: Played(to_pcm(lpc_noise_anchor(audio, features.f0_hz, features.confidence))),
        }
        for variant, model in self.models.items():
            floating = render_float(model, features)
            for system in (system for system in systems if system.variant == variant):
                to_float: Figures = {}
                if system.is_firmware:
                    sound, to_float = self._play_firmware(system, model, floating, features)
                elif system.live:
                    assert live_features is not None
                    sound = render_float(model, live_features)["audio"]
                else:
                    sound = floating["audio"]
                as_recorded = amplify(sound[: len(audio)], -gain_db)
                played[system] = Played(to_pcm(as_recorded), to_float)
        return played

    def _play_firmware(
        self, system: System, model: Ddx7, floating: dict[str, Array], features: Features
    ) -> tuple[Array, Figures]:
        rendering = firmware.render(self.firmware[system], features.frames)
        return from_pcm(rendering.pcm), compare_to_float(rendering, model, floating, features)

    def size(self, system: System) -> dict[str, int | None]:
        """Returns ``parameters`` and ``model_bytes``: as float32, or in the flash of the board."""
        if system.variant is None:
            return {"parameters": None, "model_bytes": None}
        n_parameters = self.models[system.variant].tcn.count_params()
        if not system.is_firmware:
            return {"parameters": n_parameters, "model_bytes": 4 * n_parameters}
        parts = self.firmware[system].parts  # empty on the host
        return {
            "parameters": n_parameters,
            "model_bytes": parts["model"].flash_bytes if parts else None,
        }


def _build(run_dir: Path, system: System, board: str) -> firmware.Firmware:
    """Builds the firmware of a system, with its reverb on a board that has memory for it."""
    if not system.reverb:
        return firmware.build(board, sources.generate(run_dir, fmt=system.format))
    seconds = FILE_BOARDS[REVERB_BOARD].reverb_seconds
    generated = sources.generate(run_dir, fmt=system.format, reverb_seconds=seconds)
    has_memory = FILE_BOARDS[board].reverb_seconds >= seconds
    return firmware.build(board if has_memory else REVERB_BOARD, generated)
