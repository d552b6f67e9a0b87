"""Fits constant operator levels to the partials of single frames, for many frames at once.

A patch can imitate a tone only as well as its spectra allow, however well the network is trained.
The spectrum of a patch is computed over one period of its base oscillator, in NumPy with a gradient
of its own: thousands of frames are fitted in seconds.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.core.constants import MAX_LEVEL, N_OPERATORS
from pipeline.core.patch import Patch

Floats = npt.NDArray[np.float32]
N_PARTIALS = 24
RANGE_DB = 40.0  # partials further below the strongest do not count
FLOOR_DB = 55.0  # added to both amplitudes, so that weak partials count less
TARGET_PEAK = 0.3  # amplitude of the strongest partial; a carrier at full level has 1
SAMPLES_PER_CYCLE = 128  # of f0
MAX_CYCLES = 10  # of f0 per period of the base; patches that need more are rounded
ROUNDED_TO = 8  # parts of f0
OTHER_DB = 40.0  # what lies between the partials may be this far below them
N_STARTS, N_KEPT = 8, 3  # random levels that each fit starts from, and how many are finished
FIRST_STEPS, LAST_STEPS = 40, 160
STEP = 0.15  # of Adam, in logits of the levels
CHUNK_SAMPLES = 1 << 15  # computed at a time, so that they stay in the processor's cache


@dataclass(frozen=True)
class Partials:
    """Partials of frames.

    Attributes:
        amplitudes: Relative to the strongest of the frame, shape [n_frames, N_PARTIALS].
        audible: Which of them count, same shape.
    """

    amplitudes: Floats
    audible: npt.NDArray[np.bool_]


def make_partials(amplitudes: npt.ArrayLike, known: npt.ArrayLike) -> Partials:
    """Scales measured amplitudes, and chooses the partials that count.

    Args:
        amplitudes: At multiples 1, 2, ... of f0, shape [n_frames, N_PARTIALS], not all 0.
        known: False for partials that could not be measured, same shape.
    """
    measured = np.where(known, amplitudes, 0.0)
    relative = measured / measured.max(axis=1, keepdims=True)
    audible = np.asarray(known, bool) & (relative > 10 ** (-RANGE_DB / 20))
    return Partials(relative.astype(np.float32), audible)


def fit_levels(patch: Patch, partials: Partials, seed: int = 0) -> tuple[Floats, Floats]:
    """Fits the levels of a patch to every frame.

    Args:
        patch: The patch; its detuning and its stretch are ignored, because the partials of a
            frame are taken as harmonic.
        partials: The frames.
        seed: Seed of the levels to start from.

    Returns:
        The mean absolute error of the audible partials of each frame in dB, shape [n_frames], and
        the levels in turns, shape [n_frames, 6].
    """
    spectrum = Spectrum(patch)
    n_frames = len(partials.amplitudes)
    random = np.random.default_rng(seed)
    logits = random.normal(-1.0, 1.5, (N_STARTS, n_frames, N_OPERATORS)).astype(np.float32)
    logits, errors = _descend(spectrum, partials, logits, FIRST_STEPS)
    best = np.argsort(errors, axis=0)[:N_KEPT, :, None]
    logits, errors = _descend(
        spectrum, partials, np.take_along_axis(logits, best, axis=0), LAST_STEPS
    )
    chosen = errors.argmin(axis=0)
    levels = MAX_LEVEL * _sigmoid(logits[chosen, np.arange(n_frames)])
    return partial_errors_db(spectrum.amplitudes(levels), partials), levels


def partial_errors_db(amplitudes: Floats, partials: Partials) -> Floats:
    """Returns the mean absolute error of the audible partials in dB, at the best common gain.

    Args:
        amplitudes: Shape [n_frames, N_PARTIALS].
        partials: The frames.

    Returns:
        Shape [n_frames].
    """
    floor = 10 ** (-FLOOR_DB / 20)
    peak = amplitudes.max(axis=1, keepdims=True) + 1e-9
    found_db = 20 * np.log10(amplitudes / peak + floor)
    difference = found_db - 20 * np.log10(partials.amplitudes + floor)
    masked = np.where(partials.audible, difference, np.nan)
    masked -= np.nanmedian(masked, axis=1, keepdims=True)
    return np.asarray(np.nanmean(np.abs(masked), axis=1), np.float32)


class Spectrum:
    """The partials of a patch, and their gradient."""

    def __init__(self, patch: Patch) -> None:
        """Prepares the phases over one period of the base oscillator."""
        self.patch = patch
        ratios = patch.ratios
        cycles = np.lcm.reduce([ratio.denominator for ratio in ratios])
        if cycles > MAX_CYCLES:
            cycles = ROUNDED_TO
            ratios = tuple(Fraction(max(round(r * cycles), 1), int(cycles)) for r in ratios)
        self._cycles = int(cycles)
        time = np.arange(self._cycles * SAMPLES_PER_CYCLE) / SAMPLES_PER_CYCLE  # in cycles of f0
        turns = [(float(ratio) * time) % 1.0 for ratio in ratios]
        self._phases = (2 * np.pi * np.array(turns)).astype(np.float32)

    def amplitudes(self, levels: Floats) -> Floats:
        """Returns the amplitudes of the partials, shape [..., N_PARTIALS], for levels [..., 6]."""
        bins = self._bins(self._render(levels)[0])
        return np.asarray(np.abs(bins[..., self._places()]), np.float32)

    def loss(self, logits: Floats, partials: Partials) -> tuple[Floats, Floats]:
        """Compares the partials with those of frames.

        Args:
            logits: Of the levels, shape [n_starts, n_frames, 6].
            partials: The frames.

        Returns:
            The loss of each fit in dB, shape [n_starts, n_frames], and its gradient to the logits.
        """
        loss, gradient = np.empty(logits.shape[:-1], np.float32), np.empty_like(logits)
        n_frames = max(1, CHUNK_SAMPLES // (self._phases.shape[1] * len(logits)))
        for start in range(0, logits.shape[1], n_frames):
            chunk = slice(start, start + n_frames)
            part = Partials(partials.amplitudes[chunk], partials.audible[chunk])
            loss[:, chunk], gradient[:, chunk] = self._loss(logits[:, chunk], part)
        return loss, gradient

    def _loss(self, logits: Floats, partials: Partials) -> tuple[Floats, Floats]:
        share = _sigmoid(logits)
        audio, tape = self._render(MAX_LEVEL * share)
        bins = self._bins(audio)
        places = self._places()
        found = np.asarray(np.abs(bins[..., places]) + 1e-9, np.float32)
        loss, by_partial = _compare(found, partials)
        power = (np.abs(bins) ** 2).sum(axis=-1)
        other = np.maximum(power - (found**2).sum(axis=-1), 0.0) + 1e-12
        excess_db = 10 * np.log10(other / power + 1e-9) + OTHER_DB
        weight = np.where(excess_db > 0, 0.05 * 20 / np.log(10), 0.0)  # per relative amplitude
        slope = bins * (weight * (1 / other - 1 / power))[..., None]
        at = bins[..., places] / found
        slope[..., places] = at * (by_partial - weight[..., None] * found / power[..., None])
        gradient = np.fft.irfft(slope, audio.shape[-1], axis=-1).astype(np.float32)
        gradient = self._backward(gradient, tape)
        gradient *= MAX_LEVEL * share * (1 - share)
        return loss + 0.05 * np.maximum(excess_db, 0), gradient

    def _places(self) -> slice:
        return slice(self._cycles, self._cycles * N_PARTIALS + 1, self._cycles)

    def _bins(self, audio: Floats) -> npt.NDArray[np.complex64]:
        """Returns complex amplitudes; the DC bin is 0, because nobody hears it."""
        bins = np.fft.rfft(audio, axis=-1) * (2 / audio.shape[-1])
        bins[..., 0] = 0
        return np.asarray(bins, np.complex64)

    def _render(self, levels: Floats) -> tuple[Floats, list[tuple[Floats, Floats]]]:
        """Plays one period; returns it, and what `_backward` needs of each operator."""
        tape: list[tuple[Floats, Floats]] = [(levels, levels)] * N_OPERATORS
        outputs: dict[int, Floats] = {}
        for operator in self.patch.order:
            phase = self._phases[operator]
            for modulator in self.patch.modulators[operator]:
                phase = phase + np.float32(2 * np.pi) * outputs[modulator]
            level = levels[..., operator, None]
            sine = np.sin(phase)
            outputs[operator] = level * sine
            tape[operator] = (sine, level * np.cos(phase))
        total = sum((outputs[carrier] for carrier in self.patch.carriers), np.float32(0.0))
        return np.asarray(total / np.float32(MAX_LEVEL), np.float32), tape

    def _backward(self, gradient: Floats, tape: list[tuple[Floats, Floats]]) -> Floats:
        """Returns the gradient to the levels for a gradient to the audio."""
        to_output = dict.fromkeys(self.patch.carriers, gradient / np.float32(MAX_LEVEL))
        to_levels = np.zeros((*gradient.shape[:-1], N_OPERATORS), np.float32)
        for operator in reversed(self.patch.order):
            sine, slope = tape[operator]
            to_levels[..., operator] = (to_output[operator] * sine).sum(axis=-1)
            for modulator in self.patch.modulators[operator]:
                through = np.float32(2 * np.pi) * to_output[operator] * slope
                to_output[modulator] = to_output.get(modulator, np.float32(0.0)) + through
        return to_levels


def _compare(found: Floats, partials: Partials) -> tuple[Floats, Floats]:
    """Returns the smoothed mean absolute error in dB, and its gradient to the amplitudes."""
    floor = TARGET_PEAK * 10 ** (-FLOOR_DB / 20)
    target_db = 20 * np.log10(TARGET_PEAK * partials.amplitudes + floor)
    error_db = 20 * np.log10(found + floor) - target_db
    weights = partials.audible / partials.audible.sum(axis=-1, keepdims=True)
    magnitude = np.sqrt(error_db**2 + 0.25)  # smooth within half a decibel
    slope = weights * error_db / magnitude * (20 / np.log(10)) / (found + floor)
    return (weights * magnitude).sum(axis=-1), slope


def _descend(
    spectrum: Spectrum, partials: Partials, logits: Floats, n_steps: int
) -> tuple[Floats, Floats]:
    """Takes steps of Adam; returns the best logits of each fit, and their losses."""
    mean, square = np.zeros_like(logits), np.zeros_like(logits)
    best, best_loss = logits.copy(), np.full(logits.shape[:-1], np.inf, np.float32)
    for step in range(1, n_steps + 1):
        loss, gradient = spectrum.loss(logits, partials)
        improved = loss < best_loss
        best[improved], best_loss[improved] = logits[improved], loss[improved]
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        rate = STEP * min(1.0, 2 * (1 - step / (n_steps + 1)))
        direction = (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
        logits = np.clip(logits - rate * direction, -9.0, 9.0).astype(np.float32)
    return best, best_loss


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)
