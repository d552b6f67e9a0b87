"""Generates the C of a decoder model for both engines of ``tflm_app/decoder``.

``<name>_model.c`` contains the level table, the tables of the aot engine and, if
``DECODER_ENGINE_TFLM`` is defined, the .tflite itself with the map of its tensors for the tflm
engine. All of it is constant, so it stays in flash. Equal models give equal text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.emit import weight_packing
from pipeline.emit.c_text import BANNER, braces, header, hex_words, rows
from pipeline.emit.silent_state import silent_state
from pipeline.model.topology import FRAME, LOGITS
from pipeline.quantization.tflite_reader import Layer, StepModel
from pipeline.reference.decoder import level_table


def model_texts(name: str, model: StepModel) -> dict[str, str]:
    """Returns the C of a model by file name: ``<name>_model.h`` and ``<name>_model.c``.

    Args:
        name: Prefix of the symbols, a C identifier.
        model: From `pipeline.quantization.tflite_reader.read_step_model`.

    Raises:
        UserError: The engine's arithmetic would not be exact for this model.
    """
    declarations = f"""\
#include "decoder/decoder.h"

extern const decoder_io_t {name}_io;
extern const decoder_model_t {name}_model;
"""
    shape = f"{model.n_mac} MAC per frame, int{model.bits} activations, int8 weights"
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
    file_name = f"{name}_model.h"
    return {file_name: header(file_name, declarations), f"{name}_model.c": source}


def config_text(models: Sequence[StepModel]) -> str:
    """Returns ``decoder_config.h``: what suffices for each of the models."""
    needs = [vars(_needs(model)) for model in models]
    largest = {key: max(need[key] for need in needs) for key in needs[0]}
    defines = "".join(f"#define DECODER_{key.upper()} {value}\n" for key, value in largest.items())
    return header("decoder_config.h", defines)


@dataclass(frozen=True)
class _Needs:
    """What a model costs, sizes of the decoder's state, and 1 for each op that TFLM registers."""

    n_mac: int
    activation_bytes: int
    n_rings: int
    ring_values: int
    input_values: int
    output_values: int
    tflm_ring_bytes: int
    tflm_arena_bytes: int
    tflm_conv_2d: int
    tflm_fully_connected: int


def _needs(model: StepModel) -> _Needs:
    rings = weight_packing.rings(model)
    shapes = [(layer, weight_packing.weight_matrix(layer).shape) for layer in model.layers]
    return _Needs(
        n_mac=model.n_mac,
        activation_bytes=model.bits // 8,
        n_rings=len(rings),
        ring_values=rings[-1].end,
        # The input of a residual is followed by its output.
        input_values=max(n_in + n_out * bool(layer.addition) for layer, (n_out, n_in) in shapes),
        output_values=max(n_out for _, (n_out, _) in shapes),
        tflm_ring_bytes=max(  # an array of at least one byte, without taps, too
            sum(
                n * layer.spec.dilation
                for n, layer in zip(_tap_bytes(model), model.convolutions, strict=True)
            ),
            1,
        ),
        tflm_arena_bytes=_tflm_arena_bytes(model),
        tflm_conv_2d=int(model.op == "CONV_2D"),
        tflm_fully_connected=int(model.op == "FULLY_CONNECTED"),
    )


def _tap_bytes(model: StepModel) -> list[int]:
    """Returns the size of every convolution's past taps in the .tflite."""
    return [
        layer.spec.n_past * layer.input.channels * model.bits // 8 for layer in model.convolutions
    ]


def _tflm_arena_bytes(model: StepModel) -> int:
    """Returns the size of an arena in which TensorFlow Lite Micro can run on a 32-bit core.

    It holds the interpreter, its nodes and tensors, a multiplier and a shift for every output
    channel, and the activations: all taps, and what a layer joins, computes and returns. Measured
    for 2 to 5 blocks of 7 to 128 channels and kernels of 2 to 5, with CMSIS-NN, which needs more
    than the reference kernels. Tiny models, whose activations take little, need most of the
    constant part while the interpreter prepares.
    """
    widest_input = max(layer.weights[0].size for layer in model.layers)
    widest_output = max(layer.output.channels for layer in model.layers)
    activations = sum(_tap_bytes(model)) + (2 * widest_input + 5 * widest_output) * model.bits // 8
    n_channels = sum(layer.output.channels for layer in model.layers)
    return weight_packing.round_up(
        1352 + 360 * len(model.layers) + 8 * n_channels + activations, 16
    )


def _io_text(name: str, model: StepModel) -> str:
    table = level_table(model.logits.scale, model.logits.zero_point, model.bits)
    silence = silence_values(model)
    return f"""\
static const int32_t levels_q32[{len(table)}] = {{
{rows(table.tolist(), 10)}}};

static const int16_t silence[{len(silence)}] __attribute__((aligned(4))) = {{
{rows(silence, 20)}}};

const decoder_io_t {name}_io = {{
    .bits = {model.bits},
    .logit_scale = {model.logits.scale:.8e}f,
    .logit_zero_point = {model.logits.zero_point},
    .levels_q32 = levels_q32,
    .silence = silence,
}};
"""


def silence_values(model: StepModel) -> list[int]:
    """Returns the vectors of `silent_state`, each padded to an even size."""
    values: list[int] = []
    for vector in silent_state(model):
        values += [*vector.tolist(), *[0] * (len(vector) % 2)]
    return values


def _aot_text(name: str, model: StepModel) -> str:
    """Returns the aot engine's tables: weights and biases in both layouts, then the layers."""
    additions = "".join(_addition_text(model, i, layer) for i, layer in enumerate(model.layers))
    entries = "".join(_layer_text(model, i, layer) for i, layer in enumerate(model.layers))
    checks = " || ".join(
        f"DECODER_{key.upper()} < {value}" for key, value in vars(_needs(model)).items()
    )
    return f"""\
#if {checks}
#error "decoder_config.h was made for other models: run pipeline.codegen again"
#endif

#if DECODER_KERNEL_DSP
{_weights_text(model, "dsp")}
#else /* armv6m */
{_weights_text(model, "armv6m")}
#endif

{additions}
static const decoder_layer_t layers[{len(model.layers)}] = {{
{entries}}};

const decoder_model_t {name}_model = {{
    .io = &{name}_io,
    .layers = layers,
    .n_layers = {len(model.layers)},
}};
"""


def _weights_text(model: StepModel, layout: weight_packing.Layout) -> str:
    text = ""
    for i, layer in enumerate(model.layers):
        words = weight_packing.weight_words(layer, model.bits, layout)
        channels = weight_packing.channel_constants(model, layer, layout)
        text += f"\n{_describe(layer)}{_words_text(f'weights{i}', words)}"
        text += (
            f"static const decoder_channels_t channels{i}[] DECODER_WEIGHTS = {{\n"
            f"{_channel_rows(channels)}}};\n"
        )
    return text


def _describe(layer: Layer) -> str:
    """Returns the comment above a layer's weights."""
    n_outputs, n_taps, n_inputs = layer.weights.shape
    output = layer.addition.output if layer.addition else layer.output
    lines = [
        f"{layer.name}: {n_taps} x {n_inputs} -> {n_outputs}{', ReLU' if layer.spec.relu else ''}"
        + (", added to the layer before" if layer.addition else ""),
        f"input scale {layer.input.scale:.9g}, zero point {layer.input.zero_point}",
        f"output scale {output.scale:.9g}, zero point {output.zero_point}",
    ]
    if layer.spec.has_taps:
        n_slots = layer.spec.n_past * layer.spec.dilation
        lines.append(f"dilation {layer.spec.dilation}, ring of {n_slots} slots")
    return "/* " + "\n * ".join(lines) + " */\n"


def _words_text(name: str, words: npt.NDArray[np.uint32]) -> str:
    body = rows(hex_words(words.tolist()), 10)
    return f"static const uint32_t {name}[{len(words)}] DECODER_WEIGHTS = {{\n{body}}};\n"


def _channel_rows(channels: Sequence[tuple[int, int, int]]) -> str:
    """Returns the entries of a ``decoder_channels_t`` table, four channels each."""
    text = ""
    for i in range(0, len(channels), 4):
        group = channels[i : i + 4]
        scales = ", ".join(braces(scale) for _, *scale in group)
        text += f"    {{{braces(bias for bias, *_ in group)}, {{{scales}}}}},\n"
    return text


def _addition_text(model: StepModel, i: int, layer: Layer) -> str:
    if layer.addition is None:
        return ""
    fields = weight_packing.addition_constants(model, layer, layer.addition).items()
    values = "".join(f"    .{key} = {braces(row)},\n" for key, row in fields)
    return f"static const decoder_add_t add{i} = {{\n{values}}};\n"


def _layer_text(model: StepModel, i: int, layer: Layer) -> str:
    index = weight_packing.ring_index(model, layer)
    ring = weight_packing.rings(model)[index]
    n_outputs, n_inputs = weight_packing.weight_matrix(layer).shape
    return f"""\
    {{
        /* {layer.name} */
        .weights = weights{i},
        .channels = channels{i},
        .add = {f"&add{i}" if layer.addition else "NULL"},
        .n_inputs = {n_inputs},
        .n_outputs = {n_outputs},
        .offset = {1 + 2 * layer.output.zero_point},
        .is_rectified = {int(layer.spec.relu)},
        .n_past = {layer.spec.n_past},
        .ring = {index},
        .ring_start = {ring.start},
        .ring_slots = {ring.slots},
        .slot_values = {ring.slot_values},
        .dilation = {model.convolutions[index].spec.dilation},
    }},
"""


def _tflm_text(name: str, model: StepModel) -> str:
    """Returns the tflm engine's bytes and tensor map."""
    rings = ""
    with_taps = [layer for layer in model.convolutions if layer.spec.has_taps]
    for layer in with_taps:
        spec = layer.spec
        pushed = model.outputs[spec.new_tap_output] if spec.new_tap_output else "DECODER_TFLM_FRAME"
        numbers = layer.input.channels, spec.n_past, spec.dilation
        entry = braces((model.inputs[spec.taps_input], pushed, *numbers))
        rings += f"    {entry}, /* {layer.name} */\n"
    ring_table = f"static const decoder_tflm_ring_t rings[] = {{\n{rings}}};\n\n" if rings else ""
    return f"""\
static const uint8_t tflite[{len(model.data)}] __attribute__((aligned(16))) = {{
{rows(model.data, 24)}}};

{ring_table}const decoder_model_t {name}_model = {{
    .io = &{name}_io,
    .tflite = tflite,
    .tflite_bytes = sizeof tflite,
    .rings = {"rings" if with_taps else "NULL"},
    .n_rings = {len(with_taps)},
    .frame_input = {model.inputs[FRAME]},
    .logits_output = {model.outputs[LOGITS]},
}};
"""
