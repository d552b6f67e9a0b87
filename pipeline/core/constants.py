"""Constants that every package shares; those that the C code needs too go into its generated header."""

SAMPLE_RATE = 16_000  # Hz
HOP_SAMPLES = 64  # samples per frame and per block of the firmware
FRAME_RATE = SAMPLE_RATE // HOP_SAMPLES  # 250 Hz
CLIP_SAMPLES = 4 * SAMPLE_RATE
CLIP_FRAMES = CLIP_SAMPLES // HOP_SAMPLES
MAX_LEVEL = 0.32  # turns: the largest output level of an operator
LEVEL_FLOOR = 1e-3  # of it, added before the logarithm: what is not heard hardly differs
LOGIT_RANGE = (-12.0, 6.0)  # beyond it the level is inaudible, or as good as the largest
N_OPERATORS = 6
LOUDNESS_RANGE_DB = 80.0
DEFAULT_F0_HZ = 440.0  # of a device before its first pitch
INSTRUMENTS = ("flute", "trumpet", "violin", "piano")
VARIANTS = ("full", "reduced", "reduced_ad", "reduced_cd")
