"""Says in words what a listener hears of a system's figures."""

from collections.abc import Mapping

from pipeline.model.silence_metrics import ZERO_DBFS

Figures = Mapping[str, float | None]

UPPER_BANDS = ("mid", "high")  # 2 to 7 kHz, where dullness and hiss are heard
LEAST_DB = 2.0  # smaller differences are called equal

LEGEND = {
    "overtones": "how far the overtones of steady notes are from the recording’s, in the mean of "
    "the first twelve that stand above its noise",
    "dull, bright": "the overtones from 2 to 7 kHz are softer or louder than the recording’s",
    "hiss": "the noise between the overtones from 2 to 7 kHz, compared with the recording’s",
    "onsets": "how far the loudness is from the recording’s in the first tenth of a second of "
    "notes",
    "silence": "what is played where the recording is digital silence; the last bit of the samples "
    "has −90 dB",
}


def describe(figures: Figures) -> list[str]:
    """Describes a rendering in a few phrases.

    Args:
        figures: Figures of `pipeline.model.measurement`; those that are None or missing are left
            out.

    Returns:
        Phrases such as "overtones off by 4 dB", in the order of `LEGEND`.
    """
    phrases = []
    if (error_db := figures.get("partial_error_db")) is not None:
        phrases.append(f"overtones off by {_whole(error_db)}")
    bias_db = _upper(figures, "partial_bias")
    if bias_db is not None and abs(bias_db) >= LEAST_DB:
        phrases.append(f"{_whole(bias_db)} too {'bright' if bias_db > 0 else 'dull'}")
    if (noise_db := _upper(figures, "noise_bias")) is not None:
        phrases.append(_hiss(noise_db))
    if (onset_db := figures.get("onset_loudness_error_db")) is not None:
        phrases.append(f"onsets off by {_whole(onset_db)}")
    if (level_dbfs := figures.get("silence_dbfs")) is not None:
        is_silent = level_dbfs <= ZERO_DBFS
        sound = "silent" if is_silent else f"{level_dbfs:.0f} dB".replace("-", "−")
        phrases.append(f"{sound} where the recording is silent")
    return phrases


def _hiss(noise_db: float) -> str:
    if abs(noise_db) < LEAST_DB:
        return "as much hiss as the recording"
    side = "above" if noise_db > 0 else "below"
    return f"hiss {_whole(noise_db)} {side} the recording’s"


def _upper(figures: Figures, name: str) -> float | None:
    """Returns the mean of a figure over the upper bands in which it is known."""
    values = [figures.get(f"{name}_{band}_db") for band in UPPER_BANDS]
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _whole(difference_db: float) -> str:
    return f"{abs(difference_db):.0f} dB"
