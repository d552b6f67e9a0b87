"""Writes the C of a decoder model for both engines of ``tflm_app/decoder``, and the level table.

``<name>_model.c`` holds the tables of the aot engine and, behind ``DECODER_ENGINE_TFLM``, the
.tflite itself with the map of its tensors for the tflm engine. All of it is constant, so it stays
in flash, and equal models give equal text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.emit import weight_packing
from pipeline.emit.c_text import BANNER
from pipeline.quantization.tflite_reader import Layer, StepModel
from pipeline.reference.decoder import level_table


@dataclass(frozen=True)
class _Sizes:
    """What a model needs of the decoder's state."""

    n_rings: int
    ring_values: int
    input_values: int
    output_values: int
    tflm_ring_bytes: int
    tflm_arena_bytes: int


def _sizes(model: StepModel) -> _Sizes:
    rings = weight_packing.rings(model)
    shapes = [(layer, weight_packing.weight_matrix(layer).shape) for layer in model.layers]
    return _Sizes(
        n_rings=len(rings),
        ring_values=rings[-1].end,
        # A residual's input is followed by its output.
        input_values=max(n_in + n_out * bool(layer.addition) for layer, (n_out, n_in) in shapes),
        output_values=max(n_out for _, (n_out, _) in shapes),
        tflm_ring_bytes=sum(
            n * layer.dilation
            for n, layer in zip(_tap_bytes(model), model.convolutions, strict=True)
        ),
        tflm_arena_bytes=_tflm_arena_bytes(model),
    )


def _tap_bytes(model: StepModel) -> list[int]:
    """Returns the size of every convolution's past taps in the .tflite."""
    return [layer.n_past * layer.input.channels * model.bits // 8 for layer in model.convolutions]


def _tflm_arena_bytes(model: StepModel) -> int:
    """Returns an arena that TensorFlow Lite Micro can work in on a 32-bit core.

    It holds the interpreter and its nodes and tensors, a multiplier and a shift for every output
    channel, and the activations: all taps, and what a layer joins, computes and returns. Measured
    for 2 to 5 blocks of 7 to 128 channels and kernels of 2 to 5, with CMSIS-NN, which wants more
    than the reference kernels: 1 to 9 % are left.
    """
    widest_input = max(layer.weights[0].size for layer in model.layers)
    widest_output = max(layer.output.channels for layer in model.layers)
    activations = sum(_tap_bytes(model)) + (2 * widest_input + 5 * widest_output) * model.bits // 8
    n_channels = sum(layer.output.channels for layer in model.layers)
    return weight_packing.round_up(680 + 360 * len(model.layers) + 8 * n_channels + activations, 16)


def _rows(items: Iterable[str], per_line: int) -> str:
    texts = list(items)
    return "".join(
        f"    {', '.join(texts[i : i + per_line])},\n" for i in range(0, len(texts), per_line)
    )


def _words(name: str, words: np.ndarray) -> str:
    body = _rows((f"0x{word:08x}u" for word in words.tolist()), 10)
    return f"static const uint32_t {name}[{len(words)}] DECODER_WEIGHTS = {{\n{body}}};\n"


def _channels_text(rows: Sequence[tuple[int, int, int]]) -> str:
    text = ""
    for i in range(0, len(rows), 4):
        scales = ", ".join(_c_list(row[1:]) for row in rows[i : i + 4])
        text += f"    {{{_c_list([row[0] for row in rows[i : i + 4]])}, {{{scales}}}}},\n"
    return text


def _describe(layer: Layer) -> str:
    """Returns the comment above a layer's weights."""
    n_outputs, n_taps, n_inputs = layer.weights.shape
    output = layer.addition.output if layer.addition else layer.output
    lines = [
        f"{layer.name}: {n_taps} x {n_inputs} -> {n_outputs}{', ReLU' if layer.relu else ''}"
        + (", added to the layer before" if layer.addition else ""),
        f"input scale {layer.input.scale:.9g}, zero point {layer.input.zero_point}",
        f"output scale {output.scale:.9g}, zero point {output.zero_point}",
    ]
    if layer.n_past:
        lines.append(f"dilation {layer.dilation}, ring of {layer.n_past * layer.dilation} slots")
    return "/* " + "\n * ".join(lines) + " */\n"


def _c_list(values: Sequence[int]) -> str:
    return "{" + ", ".join(map(str, values)) + "}"


def _io_text(name: str, model: StepModel) -> str:
    table = level_table(model.logits.scale, model.logits.zero_point, model.bits)
    return f"""\
static const int32_t levels_q32[{len(table)}] = {{
{_rows(map(str, table.tolist()), 10)}}};

const decoder_io_t {name}_io = {{
    .frame_scale = {model.frame.scale:.8e}f,
    .frame_zero_point = {model.frame.zero_point},
    .bits = {model.bits},
    .logit_scale = {model.logits.scale:.8e}f,
    .logit_zero_point = {model.logits.zero_point},
    .levels_q32 = levels_q32,
}};
"""


def _aot_text(name: str, model: StepModel) -> str:
    """Returns the aot engine's tables: weights and biases in both layouts, then the layers."""
    rings = weight_packing.rings(model)
    zero_points = [layer.input.zero_point for layer in model.convolutions]
    ring_of = {
        layer.block: i for i, layer in enumerate(model.convolutions) if layer.name.endswith("conv1")
    }
    layouts, adds, entries = {"lanes": "", "digits": ""}, "", ""
    for i, layer in enumerate(model.layers):
        for layout in weight_packing.LAYOUTS:
            words = weight_packing.weight_words(layer, model.bits, layout)
            rows = _channels_text(weight_packing.channel_constants(model, layer, layout))
            layouts[layout] += "\n" + _describe(layer) + _words(f"weights{i}", words)
            layouts[layout] += f"static const decoder_channels_t channels{i}[] = {{\n{rows}}};\n"
        if layer.addition is not None:
            fields = weight_packing.addition_constants(model, layer, layer.addition).items()
            values = "".join(f"    .{key} = {_c_list(row)},\n" for key, row in fields)
            adds += f"static const decoder_add_t add{i} = {{\n{values}}};\n"
        index = ring_of[layer.block] + int(layer.name.endswith("conv2"))
        ring, matrix = rings[index], weight_packing.weight_matrix(layer)
        quantized_lowest = -128 if model.bits == 8 else -32768
        entries += f"""\
    {{
        /* {layer.name} */
        .weights = weights{i},
        .channels = channels{i},
        .add = {f"&add{i}" if layer.addition else "NULL"},
        .n_inputs = {matrix.shape[1]},
        .n_outputs = {matrix.shape[0]},
        .offset = {1 + 2 * layer.output.zero_point},
        .lowest = {layer.output.zero_point if layer.relu else quantized_lowest},
        .n_past = {layer.n_past},
        .ring = {index},
        .ring_start = {ring.start},
        .ring_slots = {ring.slots},
        .slot_values = {ring.slot_values},
        .dilation = {layer.dilation},
    }},
"""
    sizes = _sizes(model)
    checks = " || ".join(f"DECODER_{key.upper()} < {value}" for key, value in vars(sizes).items())
    return f"""\
#if {checks}
#error "decoder_config.h was made for other models: run pipeline.codegen again"
#endif

#if DECODER_KERNEL_DSP
{layouts["lanes"]}
#else /* digits */
{layouts["digits"]}
#endif

{adds}
static const decoder_layer_t layers[{len(model.layers)}] = {{
{entries}}};

static const int16_t ring_zero_points[] = {_c_list(zero_points)};
static const uint16_t ring_ends[] = {_c_list([ring.end for ring in rings])};

const decoder_model_t {name}_model = {{
    .io = &{name}_io,
    .layers = layers,
    .ring_zero_points = ring_zero_points,
    .ring_ends = ring_ends,
    .n_layers = {len(model.layers)},
    .n_rings = {len(rings)},
}};
"""


def _tflm_text(name: str, model: StepModel) -> str:
    """Returns the tflm engine's bytes and tensor map."""
    rings = ""
    for layer in model.convolutions:
        new_tap = model.outputs.get(f"{layer.name}_new_tap", "DECODER_TFLM_FRAME")
        numbers = (layer.input.channels, layer.n_past, layer.dilation, layer.input.zero_point)
        taps = model.inputs[f"{layer.name}_taps"]
        rings += f"    {{{taps}, {new_tap}, {', '.join(map(str, numbers))}}}, /* {layer.name} */\n"
    return f"""\
static const uint8_t tflite[{len(model.data)}] __attribute__((aligned(16))) = {{
{_rows(map(str, model.data), 24)}}};

static const decoder_tflm_ring_t rings[] = {{
{rings}}};

const decoder_model_t {name}_model = {{
    .io = &{name}_io,
    .tflite = tflite,
    .tflite_bytes = sizeof tflite,
    .rings = rings,
    .n_rings = {len(model.convolutions)},
    .frame_input = {model.inputs["frame"]},
    .logits_output = {model.outputs["logits"]},
}};
"""


def model_texts(name: str, model: StepModel) -> dict[str, str]:
    """Returns the C of a model by file name: ``<name>_model.h`` and ``<name>_model.c``.

    Args:
        name: What the symbols begin with: a C identifier.
        model: From `pipeline.graph.read_step_model`.

    Raises:
        UserError: The engine's arithmetic would not be exact for this model.
    """
    guard = f"{name.upper()}_MODEL_H"
    header = f"""\
{BANNER}#ifndef {guard}
#define {guard}

#include "decoder/decoder.h"

extern const decoder_io_t {name}_io;
extern const decoder_model_t {name}_model;

#endif
"""
    shape = f"{model.n_mac} MAC a frame, int{model.bits} activations, int8 weights"
    source = f"""\
{BANNER}/* Decoder {name}: {shape}. */
#include "{name}_model.h"

#include <stddef.h>

{_io_text(name, model)}
#ifndef DECODER_ENGINE_TFLM

{_aot_text(name, model)}
#else

{_tflm_text(name, model)}
#endif
"""
    return {f"{name}_model.h": header, f"{name}_model.c": source}


def config_text(models: Sequence[StepModel]) -> str:
    """Returns ``decoder_config.h``: state large enough for each of the models."""
    sizes = [_sizes(model) for model in models]
    largest = {key: max(getattr(size, key) for size in sizes) for key in vars(sizes[0])}
    defines = "".join(f"#define DECODER_{key.upper()} {value}\n" for key, value in largest.items())
    return f"{BANNER}#ifndef DECODER_CONFIG_H\n#define DECODER_CONFIG_H\n\n{defines}\n#endif\n"
