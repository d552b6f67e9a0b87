"""The code generator: what it writes, and which files it refuses."""

import dataclasses
import re
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.older_models import as_convolutions
from support.refusals import refusal
from support.small_run import make_run
from support.step_models import edited

from pipeline import codegen
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import TcnConfig
from pipeline.core.patch_files import load_patch
from pipeline.emit import decoder as emit_decoder
from pipeline.emit import weight_packing
from pipeline.emit.presets import Preset, write_firmware_source
from pipeline.emit.weight_packing import quantize_multiplier
from pipeline.model.noise import UNTRAINED
from pipeline.quantization import tflite_reader, tflite_writer
from pipeline.quantization.tflite_reader import read_step_model


def test_graph_of_the_reduced_network_has_its_size(tmp_path):
    path = tmp_path / "decoder.tflite"
    path.write_bytes(tflite_writer.random_step_model(TcnConfig(3, 64), 0, "int8"))
    model = read_step_model(path)
    assert model.n_mac == 51_200
    assert [layer.name for layer in model.layers] == [
        *("block0_conv1", "block0_conv2", "block0_residual", "block1_conv1", "block1_conv2"),
        *("block2_conv1", "block2_conv2", "block2_residual"),
    ]
    assert [layer.spec.dilation for layer in model.convolutions] == [1, 1, 2, 2, 4, 4]
    assert sum(ring.end - ring.start for ring in weight_packing.rings(model)) == 1668  # values


@given(st.floats(2.0**-30, 2.0**30))
def test_multipliers_are_nearest_fixed_point_numbers(real):
    multiplier, exponent = quantize_multiplier(real)
    assert 2**30 <= multiplier < 2**31
    assert abs(multiplier * 2.0 ** (exponent - 31) - real) <= 2.0 ** (exponent - 32)


@pytest.mark.parametrize("layout", weight_packing.LAYOUTS)
@pytest.mark.parametrize("bits", [8, 16])
def test_packed_weights_hold_every_weight_once(tflite, layout, bits):
    for layer in read_step_model(tflite).layers:
        words = weight_packing.weight_words(layer, bits, layout)
        matrix = weight_packing.weight_matrix(layer)
        used = weight_packing.used_inputs(layer)
        assert words.nbytes == matrix.size  # one byte per weight
        if layout == "armv6m":
            digits = words.view(np.uint8).reshape(len(matrix) // 8, -1, 8).transpose(0, 2, 1)
            found = digits.reshape(matrix.shape).astype(int) - 128
        else:  # bytes of a word and its neighbour: [group, step, pair, input, channel of the pair]
            lanes = words.view(np.int8).astype(int).reshape(len(matrix) // 4, -1, 2, 2, 2)
            if bits == 8:
                lanes[:, :, 0, :, 0] += 128  # stored as an unsigned byte, 128 larger
                # The upper byte was decremented for a negative lower one.
                lanes[:, :, 1, :, 1] += lanes[:, :, 1, :, 0] < 0
            channels = lanes.transpose(0, 2, 4, 1, 3).reshape(matrix.shape)
            found = (channels + 128) % 256 - 128
        np.testing.assert_array_equal(found[:, :used], matrix[:, :used])


# --- writing --------------------------------------------------------------------------------------


def test_equal_models_give_equal_text_and_untouched_files(tflite, tmp_path):
    instruments = [Preset("flute", tflite, load_patch("flute"), UNTRAINED)]
    first, second = (
        {path.name: path.read_bytes() for path in write_firmware_source(instruments, folder)}
        for folder in (tmp_path / "a", tmp_path / "b")
    )
    assert first == second
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    write_firmware_source(instruments, tmp_path / "a")
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}


def test_state_is_large_enough_for_the_largest_of_several(tflite, tflite_16x8, tmp_path):
    other = tmp_path / "other.tflite"
    other.write_bytes(tflite_writer.random_step_model(TcnConfig(3, 4, 2), 2, "int8"))
    instruments = [
        Preset("a", tflite, load_patch("flute"), UNTRAINED),
        Preset("b", other, load_patch("piano"), UNTRAINED),
    ]
    write_firmware_source(instruments, tmp_path)
    text = (tmp_path / "decoder_config.h").read_text()
    defines = {key: int(value) for key, value in re.findall(r"#define DECODER_(\w+) (\d+)", text)}
    rings = [weight_packing.rings(read_step_model(path)) for path in (tflite, other)]
    assert defines["N_RINGS"] == max(map(len, rings)) == 6
    assert defines["RING_VALUES"] == max(ring[-1].end for ring in rings)
    assert '{"b", &b_model, &piano_patch, &b_noise,' in (tmp_path / "instruments.c").read_text()


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        (["int8"], {"FULLY_CONNECTED"}),
        (["int16x8"], {"CONV_2D"}),
        (["int8", "int16x8"], {"FULLY_CONNECTED", "CONV_2D"}),
    ],
)
def test_tflm_registers_the_ops_of_the_models_alone(tflite, tflite_16x8, formats, expected):
    models = {"int8": read_step_model(tflite), "int16x8": read_step_model(tflite_16x8)}
    text = emit_decoder.config_text([models[fmt] for fmt in formats])
    registered = re.findall(r"#define DECODER_TFLM_(FULLY_CONNECTED|CONV_2D) 1", text)
    assert set(registered) == expected


def test_files_of_an_earlier_call_are_removed_and_others_stay(tflite, tmp_path):
    write_firmware_source([Preset("old", tflite, load_patch("piano"), UNTRAINED)], tmp_path)
    (tmp_path / "mine.c").write_text("int mine;\n")
    write_firmware_source([Preset("new", tflite, load_patch("flute"), UNTRAINED)], tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"mine.c", "new_model.c", "flute_patch.c"} < names
    assert not {"old_model.c", "old_model.h", "piano_patch.c", "piano_patch.h"} & names


def test_tflm_map_follows_the_signature(tflite, tmp_path):
    def reverse(model):
        model.subgraphs[0].inputs = list(reversed(model.subgraphs[0].inputs))
        model.signatureDefs[0].inputs.reverse()
        model.signatureDefs[0].outputs.reverse()

    before = read_step_model(tflite)
    after = read_step_model(edited(tflite, tmp_path, reverse))
    last = len(before.inputs) - 1
    assert after.inputs == {name: last - position for name, position in before.inputs.items()}
    assert after.outputs == before.outputs
    for layer, same in zip(after.layers, before.layers, strict=True):
        assert layer.name == same.name
        np.testing.assert_array_equal(layer.weights, same.weights)


def test_older_model_of_convolutions_compiles_to_the_same_c(tflite, tmp_path):
    older = tmp_path / "older.tflite"
    older.write_bytes(as_convolutions(tflite.read_bytes()))
    models = read_step_model(tflite), read_step_model(older)
    assert [model.op for model in models] == ["FULLY_CONNECTED", "CONV_2D"]
    texts = [
        re.sub(
            r"(?s)uint8_t tflite\[\d+\].*?\};|DECODER_TFLM_(CONV_2D|FULLY_CONNECTED) < \d",
            "",
            "".join(emit_decoder.model_texts("same", model).values()),
        )
        for model in models
    ]
    assert texts[0] == texts[1] and "same_model" in texts[0]


# --- refusals -------------------------------------------------------------------------------------


def test_command_compiles_a_run_folder(tmp_path, capsys):
    run_dir = tmp_path / "run"
    make_run(run_dir, variant="reduced")
    codegen.main(["--run", str(run_dir), "--out", str(tmp_path / "out")])
    assert "flute_reduced" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("decoder_config.h", "instruments.c", "flute_reduced_model.c", "flute_reduced_model.h"),
        *("flute_reduced_noise.c", "flute_patch.c", "flute_patch.h", "expressions.c"),
    }


@pytest.mark.parametrize(
    "content", [None, b"", b"TFL3", b"\x1c\0\0\0TFL3" + struct.pack("<9i", *range(9))]
)
def test_failing_command_prints_one_line_and_leaves_existing_files(
    tmp_path, tflite, capsys, content
):
    run_dir, out = tmp_path / "run", tmp_path / "out"
    make_run(run_dir)
    (run_dir / "decoder_int8.tflite").unlink()
    write_firmware_source([Preset("flute", tflite, load_patch("flute"), UNTRAINED)], out)
    before = {path: path.read_bytes() for path in out.iterdir()}
    if content is not None:
        (run_dir / "decoder_int8.tflite").write_bytes(content)
    message = refusal(capsys, codegen.main, "--run", run_dir, "--out", out)
    assert "decoder_int8.tflite" in message
    assert before == {path: path.read_bytes() for path in out.iterdir()}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["two words"], "two words"),
        (["a", "a"], "'a'"),
    ],
)
def test_presets_need_names(tflite, tmp_path, names, message):
    with pytest.raises(UserError, match=message):
        write_firmware_source(
            [Preset(name, tflite, load_patch("flute"), UNTRAINED) for name in names], tmp_path
        )


def test_different_patches_of_one_name_get_symbols_of_their_own(tflite, tmp_path):
    flute = load_patch("flute")
    other = dataclasses.replace(load_patch("violin"), name="flute")
    chosen = {"a": flute, "b": other, "c": flute, "d": other}
    presets = [Preset(name, tflite, patch, UNTRAINED) for name, patch in chosen.items()]
    write_firmware_source(presets, tmp_path)
    table = (tmp_path / "instruments.c").read_text()
    played = re.findall(r"_model, &(\w+)_patch", table)
    assert played == ["flute", "b_flute", "flute", "d_flute"]
    assert "6>5>4>3 2>1" in (tmp_path / "b_flute_patch.c").read_text()
    assert "6>5>1 4>3>1 2>1" in (tmp_path / "flute_patch.c").read_text()


def test_reader_supports_every_layer_of_the_format(tflite_16x8):
    model = read_step_model(tflite_16x8)
    assert model.bits == 16 and model.frame.zero_point == 0
    assert tflite_reader.read_step_model(tflite_16x8).data == tflite_16x8.read_bytes()
