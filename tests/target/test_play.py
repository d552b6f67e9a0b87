"""The real-time application on boards that play from files, and a short run of libFuzzer."""

import re
from pathlib import Path

import numpy as np
import pytest
from support import fuzzing, small_player
from support.play_app import answers, pcm, play
from support.small_player import control, off, on, program_change
from support.underrun import with_late_block

from pipeline.core.constants import HOP_SAMPLES
from pipeline.target.boards import FILE_BOARDS
from pipeline.target.build import Program, make
from pipeline.target.player import build_player, perform

pytestmark = pytest.mark.firmware

LISTENING_BOARDS = ("wasm", "qemu_m4", "qemu_m7")  # the host can, too, but is built without it here
TUNE = [
    (3, on(60)),
    (40, on(64)),
    (60, off(60)),
    (80, program_change(1)),
    (90, on(67, 80)),
    (150, control(123, 0)),
]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("play") / "generated"
    small_player.generate(folder)
    return folder


@pytest.fixture(scope="module")
def programs(generated: Path) -> dict[str, Program]:
    return {
        board: make(
            board,
            generated.parent / board,
            {
                "GENERATED_DIR": generated,
                "PLAYER_VOICES": 2,
                "SANITIZE": "ON" if board == "host" else "OFF",
            },
            "play",
        )
        for board in FILE_BOARDS
    }


def test_main_loop_plays_the_output_of_the_player_one_block_later(programs, generated):
    player = build_player("host", generated, n_voices=2, build_dir=generated.parent / "perform")
    expected = perform(player, TUNE).pcm
    for board in FILE_BOARDS:
        played = pcm(play(programs[board], TUNE))
        # A byte that arrives while block 3 plays is audible from block 4 on, 4 to 8 ms later.
        assert np.flatnonzero(expected)[0] // HOP_SAMPLES == 3
        assert not played[:HOP_SAMPLES].any()
        np.testing.assert_array_equal(played[HOP_SAMPLES:][: len(expected)], expected)


def test_console_answers_every_command(programs):
    commands = "help\rnotes\rprogram\rprogram 2\rchannel\rchannel 5\rstats\rpanic\rclear\r"
    for board in FILE_BOARDS:
        lines = answers(play(programs[board], [(3, on(60))], [(20, commands.encode())]))
        assert lines[0] == "neural FM: type help"
        assert lines[1].split()[:4] == ["help", "stats", "clear", "notes"]
        assert lines[2:4] == ["0 held flute 60", "1 idle"]
        assert lines[4:7] == ["*0 flute", " 1 violin", " 2 piano"]
        assert lines[7:10] == [" 0 flute", " 1 violin", "*2 piano"]
        assert lines[10:12] == ["channel 0", "channel 5"]
        stats = dict(line.rsplit(" ", 1) for line in lines[14:-2])
        input_counts = {"input lost"} if board in LISTENING_BOARDS else set()
        counts = {"blocks", "underruns", "sounding", "stolen", "midi lost", "midi errors", "stack"}
        assert set(stats) == counts | input_counts
        assert (stats["underruns"], stats["midi lost"], stats["stolen"]) == ("0", "0", "0")
        assert lines[-2:] == ["silent", "cleared"]


def test_demo_phrase_plays_to_its_end_and_leaves_silence(programs):
    for board in FILE_BOARDS:
        run = play(programs[board], [], [(3, b"demo\r"), (1500, b"notes\r")])
        assert answers(run)[1:] == ["playing", "0 idle", "1 idle"]
        sounding = np.flatnonzero(pcm(run).reshape(-1, HOP_SAMPLES).any(axis=1))
        assert 3 <= sounding[0] < 10 and 1250 < sounding[-1] < 1500
        assert len(sounding) > 1200  # except for pauses between detached notes


def test_panic_ends_the_demo_phrase(programs):
    run = play(programs["host"], [], [(3, b"demo\r"), (30, b"panic\r")])
    assert not pcm(run)[33 * HOP_SAMPLES :].any()


def test_load_is_reported_as_a_share_of_a_block(programs):
    lines = answers(play(programs["qemu_m4"], TUNE, [(100, b"stats\r")]))
    load, worst = (float(line.split()[1]) for line in lines[1:3])
    assert 0.5 < load <= worst < 20  # percent of 168 MHz; the decoder has a tenth of the usual size
    stack = int(lines[10].split()[1])
    assert 0 < stack < 1536


def test_sound_fades_out_and_in_around_late_blocks_which_are_counted(programs):
    for board in FILE_BOARDS:
        on_time = pcm(play(programs[board], [(3, on(60)), (60, on(64))])).reshape(-1, HOP_SAMPLES)
        run = play(programs[board], [(3, on(60)), (30, b""), (60, on(64))], [(70, b"stats\r")])
        late = pcm(run).reshape(-1, HOP_SAMPLES)
        assert "underruns 1" in answers(run)
        at = int(np.flatnonzero((late[:50] != on_time[:50]).any(axis=1))[0])
        assert at in (30, 31) and on_time[at - 1].any()
        # The player continues where it was, so no block is skipped.
        np.testing.assert_array_equal(late[:50], with_late_block(on_time, at)[:50])
        longer = play(programs[board], [(3, on(60)), (30, b""), (30, b"")])
        silent = pcm(longer).reshape(-1, HOP_SAMPLES)[at : at + 3]
        np.testing.assert_array_equal(silent, [late[at], np.zeros(HOP_SAMPLES), late[at + 1]])


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("hepl\r", "unknown: type help"),
        ("program 3\r", "there is none; programs: 3"),
        ("program x\r", "unknown: type help"),
        ("program 99999999999\r", "unknown: type help"),
        ("channel 17\r", "give 1 to 16, or 0 for all but 10"),
        ("panic 1\r", "unknown: type help"),
        ("transpose 25\r", "give -24 to 24"),
        ("tune -101\r", "give -100 to 100"),
        ("tune auto\r", "unknown: type help"),
        ("velocity 4\r", "there is none; curves: 4"),
        ("velocity -1\r", "unknown: type help"),
        ("help me with this, it is too long for you\r", "too long: type help"),
        ("stax\x7f\x7fats\rx\r", "unknown: type help"),
    ],
)
def test_console_reports_invalid_commands(programs, typed, answer):
    assert answers(play(programs["host"], [(1, on(60))], [(5, typed.encode())]))[-1] == answer


@pytest.mark.parametrize(
    ("typed", "note", "velocity", "expected_note", "expected_velocity"),
    [
        ("transpose 12", 60, 100, 72, 100),
        ("transpose -24", 60, 100, 36, 100),
        ("tune 100", 60, 100, 61, 100),
        ("tune -100", 60, 100, 59, 100),
        ("velocity 0", 60, 64, 60, 64),
        ("velocity 1", 60, 64, 60, 96),
        ("velocity 2", 60, 64, 60, 33),
        ("velocity 3", 60, 1, 60, 100),
    ],
)
def test_console_transposes_tunes_and_shapes_the_velocity(
    programs, typed, note, velocity, expected_note, expected_velocity
):
    host = programs["host"]
    asked = [(5, f"{typed}\r".encode())]
    score = [(20, on(note, velocity)), (40, off(note)), (160, b"")]
    expected = [(20, on(expected_note, expected_velocity)), (40, off(expected_note)), (160, b"")]
    played = pcm(play(host, score, asked))
    assert played.any()
    np.testing.assert_array_equal(played, pcm(play(host, expected)))


def test_console_shows_transposition_tuning_and_velocity_curves(programs):
    typed = b"transpose -5\rtune\rvelocity 2\rtranspose +0\r"
    lines = answers(play(programs["host"], [(1, on(60))], [(5, typed)]))
    assert lines[1:] == [
        *("transpose -5", "tune 0", " 0 linear", " 1 soft", "*2 hard", " 3 fixed", "transpose 0")
    ]


def test_demo_resets_the_controllers_of_all_channels(programs):
    changed = [(3, bytes([0xE4, 127, 127])), (4, bytes([0xB4, 11, 20]))]
    note = [(300, bytes([0x94, 60, 100])), (340, b"")]
    typed = [(5, b"demo\r"), (20, b"panic\r")]
    played, expected = (
        pcm(play(programs["host"], score, typed)) for score in (changed + note, note)
    )
    assert expected[300 * HOP_SAMPLES :].any()
    np.testing.assert_array_equal(played, expected)


def test_channel_10_plays_if_it_is_chosen_or_a_member_of_an_mpe_zone(programs):
    drum = [(20, bytes([0x99, 60, 100])), (30, b"")]
    zone = [(3, bytes([0xB0, 101, 0, 0xB0, 100, 6, 0xB0, 6, 15]))]
    host = programs["host"]
    assert not pcm(play(host, drum)).any()
    assert pcm(play(host, drum, [(5, b"channel 10\r")])).any()
    assert not pcm(play(host, drum, [(5, b"channel 10\rchannel 0\r")])).any()
    assert pcm(play(host, zone + drum)).any()


def test_unread_answers_are_cut_off_with_a_mark_and_the_sound_continues(programs):
    flood = [(block, b"notes\rstats\r") for block in range(5, 30) for _ in range(40)]
    run = play(programs["host"], TUNE, flood)
    assert "~" in run.files["console.txt"].decode("ascii")
    np.testing.assert_array_equal(
        pcm(run)[: 160 * 64], pcm(play(programs["host"], TUNE))[: 160 * 64]
    )


@pytest.mark.parametrize("command", [b"bootsel\r", b"dfu\r"])
def test_board_without_a_boot_loader_says_so_and_the_notes_go_on(command, programs):
    run = play(programs["host"], [(3, on(60)), (40, b"")], [(10, command)])
    assert "this board has no boot loader" in answers(run)
    assert pcm(run).reshape(-1, 64)[20:40].any(axis=1).all()


def test_fuzzer_knows_every_command_that_help_lists(programs):
    (listed,) = answers(play(programs["host"], [], [(3, b"help\r")]))[1:]
    assert set(re.sub(r"\[.*?\]", "", listed).split()) == set(fuzzing.console_commands())


def test_random_midi_and_console_input_does_not_crash_the_player(tmp_path):
    """This run is short; ``make fuzz`` sends ten million inputs."""
    assert fuzzing.run(fuzzing.build_player(tmp_path), runs=30_000) >= 30_000
