"""Build files build, and examples use the library and the interfaces of their platforms rightly.

The platforms' own headers come from no package registry, so declarations of what the examples call
stand in for them.
"""

from pathlib import Path

import numpy as np
import pytest
from support.exports import N_VOICES, RUN_DIRS, STRICT, run

from pipeline.library.ecosystems import ECOSYSTEMS
from pipeline.library.tree import library_tree

pytestmark = pytest.mark.firmware

PROJECTS = {
    "cmake": "{printed}\ntarget_link_libraries(mine PRIVATE ddx7::ddx7)\n",
    "pico-sdk": "{printed}\ntarget_link_libraries(mine PRIVATE ddx7)\n",
    "zephyr": """\
macro(zephyr_library_named name)
  add_library(${{name}} STATIC)
  set(ZEPHYR_CURRENT_LIBRARY ${{name}})
endmacro()
macro(zephyr_library_sources)
  target_sources(${{ZEPHYR_CURRENT_LIBRARY}} PRIVATE ${{ARGN}})
endmacro()
macro(zephyr_include_directories)
  include_directories(${{ARGN}})
  target_include_directories(mine PRIVATE ${{ARGN}})
endmacro()
macro(zephyr_compile_definitions)
  add_compile_definitions(${{ARGN}})
  target_compile_definitions(mine PRIVATE ${{ARGN}})
endmacro()
set(CONFIG_DDX7 y)
set(CONFIG_DDX7_VOICES {voices})
add_subdirectory("{export}/zephyr" ddx7)
target_link_libraries(mine PRIVATE ddx7)
""",
}
USER = """
#include <cstdio>
#include "ddx7.h"
int main() {
    static ddx7_t synth;
    std::printf("%d %d\\n", ddx7_init(&synth, sizeof synth, 44100), ddx7_n_instruments());
}
"""


def write(sources: dict[str, str], ecosystem: str, folder: Path) -> Path:
    """Writes the tree of an export."""
    tree = library_tree(ecosystem, sources, RUN_DIRS, n_voices=N_VOICES)
    for name, text in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def build(folder: Path, out: Path) -> None:
    run(["cmake", "-S", folder, "-B", out, "-G", "Ninja", "-DCMAKE_C_FLAGS=-O0"])
    run(["cmake", "--build", out])


@pytest.mark.parametrize("ecosystem", PROJECTS)
def test_cpp_project_builds_with_the_build_files(sources, tmp_path, ecosystem):
    export = write(sources, ecosystem, tmp_path.parent / f"{tmp_path.name} export")
    printed = ECOSYSTEMS[ecosystem].next_step.format(out=export).partition(")")[0] + ")"
    lists = (
        "cmake_minimum_required(VERSION 3.13)\nproject(mine C CXX)\nadd_executable(mine mine.cpp)\n"
    )
    lists += PROJECTS[ecosystem].format(export=export, printed=printed, voices=N_VOICES + 1)
    (tmp_path / "CMakeLists.txt").write_text(lists)
    (tmp_path / "mine.cpp").write_text(USER)
    build(tmp_path, tmp_path / "build")
    assert run([tmp_path / "build" / "mine"]) == "1 2\n"


def test_example_for_computers_plays_a_scale(sources, tmp_path):
    build(write(sources, "cmake", tmp_path / "export"), tmp_path / "build")
    pcm = np.frombuffer(run([tmp_path / "build" / "render"], text=False), "<i2").astype(float)
    assert len(pcm) == 8 * 24_000
    for part, note in zip(np.split(pcm, 8), [60, 62, 64, 65, 67, 69, 71, 72], strict=True):
        assert played_note(part, near=note) == pytest.approx(note, abs=0.3)


def played_note(part: np.ndarray, *, near: int) -> float:
    """Returns the pitch of the middle of a note, from the best lag within three semitones."""
    steady = part[4000:11_000]
    period = 48_000 / 440 / 2 ** ((near - 69) / 12)
    lags = np.arange(round(0.84 * period), round(1.19 * period))
    similarity = [np.dot(steady[:6000], steady[lag : lag + 6000]) for lag in lags]
    return float(69 + 12 * np.log2(48_000 / lags[np.argmax(similarity)] / 440))


ARDUINO = """
#include <stdint.h>
#include <stddef.h>
enum PinMode { OUTPUT };
void delay(unsigned long ms);
"""
HEADERS = {
    "Arduino.h": ARDUINO,
    "I2S.h": """
class I2S {
public:
    I2S(PinMode direction, uint8_t bclk, uint8_t data);
    bool setBitsPerSample(int bits);
    bool begin(long rate);
    size_t write16(int16_t left, int16_t right);
};
""",
    "Audio.h": """
#include "Arduino.h"
#define AUDIO_BLOCK_SAMPLES 128
#define AUDIO_SAMPLE_RATE_EXACT 44100.0f
#define AudioMemory(n) (void)(n)
struct audio_block_t { int16_t data[AUDIO_BLOCK_SAMPLES]; };
class AudioStream {
public:
    AudioStream(unsigned char n_inputs, audio_block_t **queue);
private:
    virtual void update() = 0;
};
class AudioPlayQueue : public AudioStream {
public:
    AudioPlayQueue();
    void update() override;
    int16_t *getBuffer();
    uint32_t playBuffer();
};
class AudioOutputI2S : public AudioStream { public: AudioOutputI2S(); void update() override; };
struct AudioConnection {
    AudioConnection(AudioStream &from, unsigned char output, AudioStream &to, unsigned char input);
};
struct AudioControlSGTL5000 { bool enable(); bool volume(float level); };
""",
    "daisy_seed.h": """
#include <stddef.h>
namespace daisy {
struct AudioHandle {
    typedef const float *const *InputBuffer;
    typedef float **OutputBuffer;
    typedef void (*AudioCallback)(InputBuffer in, OutputBuffer out, size_t size);
};
struct DaisySeed {
    void Init(bool boost = false);
    float AudioSampleRate();
    void StartAudio(AudioHandle::AudioCallback callback);
};
}
""",
    "pico/stdlib.h": "#include <stdbool.h>\n#include <stdint.h>\n",
    "pico/audio_i2s.h": """
#include <stdbool.h>
#include <stdint.h>
#define AUDIO_BUFFER_FORMAT_PCM_S16 1
typedef struct { uint32_t sample_freq; uint16_t format, channel_count; } audio_format_t;
typedef struct { const audio_format_t *format; uint16_t sample_stride; } audio_buffer_format_t;
typedef struct { uint32_t size; uint8_t *bytes; } mem_buffer_t;
typedef struct { mem_buffer_t *buffer; uint32_t sample_count, max_sample_count; } audio_buffer_t;
typedef struct audio_buffer_pool audio_buffer_pool_t;
typedef struct { uint8_t data_pin, clock_pin_base, dma_channel, pio_sm; } audio_i2s_config_t;
audio_buffer_pool_t *audio_new_producer_pool(audio_buffer_format_t *format, int n, int n_samples);
const audio_format_t *audio_i2s_setup(const audio_format_t *, const audio_i2s_config_t *);
bool audio_i2s_connect(audio_buffer_pool_t *pool);
void audio_i2s_set_enabled(bool is_enabled);
audio_buffer_t *take_audio_buffer(audio_buffer_pool_t *pool, bool block);
void give_audio_buffer(audio_buffer_pool_t *pool, audio_buffer_t *buffer);
""",
    "zephyr/kernel.h": """
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
struct k_mem_slab { int n; };
typedef struct { int64_t ticks; } k_timeout_t;
#define K_FOREVER ((k_timeout_t){-1})
#define SYS_FOREVER_MS (-1)
#define K_MEM_SLAB_DEFINE_STATIC(name, size, n, align) static struct k_mem_slab name
""",
    "zephyr/drivers/i2s.h": """
#include <zephyr/kernel.h>
struct device { int n; };
extern const struct device the_device;
#define DT_ALIAS(alias) alias
#define DEVICE_DT_GET(node) (&the_device)
enum i2s_dir { I2S_DIR_RX, I2S_DIR_TX };
enum i2s_trigger_cmd { I2S_TRIGGER_START };
struct i2s_config {
    uint8_t word_size, channels, format, options;
    uint32_t frame_clk_freq;
    struct k_mem_slab *mem_slab;
    size_t block_size;
    int32_t timeout;
};
int i2s_configure(const struct device *dev, enum i2s_dir dir, const struct i2s_config *config);
int i2s_buf_write(const struct device *dev, void *buf, size_t size);
int i2s_trigger(const struct device *dev, enum i2s_dir dir, enum i2s_trigger_cmd command);
""",
}
EXAMPLES = [
    ("cmake", "examples/daisy.cpp"),
    ("arduino", "examples/PicoI2S/PicoI2S.ino"),
    ("arduino", "examples/TeensyAudio/TeensyAudio.ino"),
    ("platformio", "examples/pico_i2s/src/main.cpp"),
    ("platformio", "examples/teensy_audio/src/main.cpp"),
    ("pico-sdk", "examples/i2s/main.c"),
    ("zephyr", "samples/i2s/src/main.c"),
]


@pytest.mark.parametrize(("ecosystem", "example"), EXAMPLES)
def test_examples_call_what_is_declared(sources, tmp_path, ecosystem, example):
    export = write(sources, ecosystem, tmp_path / "export")
    assert len((export / example).read_text().splitlines()) <= 35
    for name, text in HEADERS.items():
        path = tmp_path / "platform" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#pragma once\n{text}")
    language = ["-x", "c", "-std=gnu99"] if example.endswith(".c") else ["-x", "c++", "-std=c++17"]
    folders = ["-I", export / "src", "-I", tmp_path / "platform"]
    run(["g++", *language, *STRICT, "-fsyntax-only", *folders, export / example])
