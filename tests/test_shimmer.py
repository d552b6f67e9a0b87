"""Shimmer: the same in C, in NumPy and in training, and noise where it is to be heard."""

import ctypes
import subprocess

import numpy as np
import pytest

from pipeline.config import MAX_LEVEL, N_OPERATORS, REPOSITORY, SAMPLE_RATE
from pipeline.ddx7 import noise_like
from pipeline.patches import PATCHES
from pipeline.shimmer import shimmer_levels, shimmer_noise, shimmer_q16
from pipeline.synth import Shimmer, base_phase, fm_synthesize

DEPTHS = (0.0, 0.001, 0.25, 0.5, 0.9, 1.0)


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("shimmer")
    (folder / "shimmer.c").write_text(
        '#include "control/shimmer.h"\n'
        "uint32_t call(uint32_t state, const uint16_t *depths, int32_t *levels, size_t n) {\n"
        "    return shimmer(state, depths, levels, n);\n"
        "}\n"
    )
    made = folder / "shimmer.so"
    command = ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    command += ["-fsanitize=undefined", "-fno-sanitize-recover", f"-I{REPOSITORY / 'tflm_app'}"]
    subprocess.run([*command, str(folder / "shimmer.c"), "-o", str(made)], check=True)
    library = ctypes.CDLL(str(made))
    library.call.restype = ctypes.c_uint32
    return library


def test_c_equals_numpy(library):
    random = np.random.default_rng(0)
    levels = random.integers(0, 2**31, (2000, N_OPERATORS)).astype(np.int32)
    levels[:2] = [[0] * N_OPERATORS, [2**31 - 1] * N_OPERATORS]
    depths_q16 = shimmer_q16(DEPTHS)
    played, state = levels.copy(), ctypes.c_uint32(1)
    depths = np.array(depths_q16, np.uint16)
    for row in played:
        state.value = library.call(
            state,
            depths.ctypes.data_as(ctypes.c_void_p),
            row.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_size_t(N_OPERATORS),
        )
    np.testing.assert_array_equal(played, shimmer_levels(levels, depths_q16))
    np.testing.assert_array_equal(played[:, 0], levels[:, 0])  # depth 0
    assert ((played >= 0) & (played <= levels)).all()


def test_training_hears_what_the_device_plays():
    layer = Shimmer()
    layer.build(None)
    layer.set_weights([np.log([d / (1 - d) for d in (1e-6, 0.1, 0.3, 0.5, 0.7, 0.999)])])
    levels = np.random.default_rng(0).uniform(0, MAX_LEVEL, (1, 300, N_OPERATORS))
    levels = levels.astype(np.float32)
    trained = np.asarray(layer(levels, noise_like(levels)))[0]
    q32 = np.round(levels[0].astype(np.float64) * 2**32).astype(np.int32)
    depths = np.asarray(layer.depths())
    np.testing.assert_allclose(
        shimmer_levels(q32, shimmer_q16(depths)) / 2**32, trained, atol=1e-5 * MAX_LEVEL
    )


def test_noise_is_uniform_and_without_memory():
    noise = shimmer_noise(50_000) / 2**16
    assert noise.mean() == pytest.approx(0.5, abs=0.002)
    assert noise.var() == pytest.approx(1 / 12, rel=0.01)
    flat = noise.ravel() - 0.5
    for lag in (1, 2, 5, 6, 7, 12):
        assert abs(np.corrcoef(flat[:-lag], flat[lag:])[0, 1]) < 0.01


def test_noise_lies_around_the_partials():
    levels = np.zeros((1, 2500, N_OPERATORS), np.float32)
    levels[..., 0] = MAX_LEVEL
    phase = base_phase(np.full((1, 2500), 1000.0), PATCHES["flute"])

    def power(depth: float) -> np.ndarray:
        shimmering = levels * (1 - depth * noise_like(levels))
        audio = np.asarray(fm_synthesize(shimmering, phase, PATCHES["flute"]))[0]
        return np.abs(np.fft.rfft(audio[SAMPLE_RATE // 10 :] * np.hanning(len(audio) - 1600))) ** 2

    still, shimmering = power(0.0), power(0.5)
    hertz = np.linspace(0, SAMPLE_RATE / 2, len(still))
    near = (np.abs(hertz - 1000) > 10) & (np.abs(hertz - 1000) < 125)
    far = np.abs(hertz - 1000) > 600
    assert shimmering[near].mean() > 1e4 * still[near].mean()
    assert shimmering[near].mean() > 1e3 * shimmering[far].mean()
