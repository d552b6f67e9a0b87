"""An instrument's file is updated where it was not edited, and left alone elsewhere."""

import tomllib

import pytest

from pipeline.core.errors import UserError
from pipeline.core.instrument_file import Entry, write_instrument

ENTRIES = [
    Entry("patch", "flute", "FM patch. " + 12 * "A comment of more than a line. "),
    Entry("data.f0_min_hz", 100.0, "Lowest pitch."),
    Entry("data.f0_max_hz", 900.0, "Highest pitch."),
    Entry("corpus.gm_program", 71, "Program."),
    Entry("corpus.lowest_note", 50, "Lowest note."),
    Entry("corpus.highest_note", 80, "Highest note."),
]
KEYS = [entry.key for entry in ENTRIES]
NEW = [Entry(e.key, e.value, f"{e.comment} Again.") for e in ENTRIES]


@pytest.fixture
def path(tmp_path):
    """A file that was just written."""
    path = tmp_path / "clarinet.toml"
    assert write_instrument(path, ENTRIES, "The clarinet.").written == KEYS
    return path


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_new_file_has_every_entry_below_its_comment(path):
    table = tomllib.loads(path.read_text())
    assert table == {
        "patch": "flute",
        "data": {"f0_min_hz": 100.0, "f0_max_hz": 900.0},
        "corpus": {"gm_program": 71, "lowest_note": 50, "highest_note": 80},
    }
    lines = path.read_text().splitlines()
    assert lines[0] == "# The clarinet." and max(map(len, lines)) <= 100
    assert lines[lines.index("[data]") :][1:5] == [
        *("# Lowest pitch.", "f0_min_hz = 100.0", "# Highest pitch.", "f0_max_hz = 900.0")
    ]


def test_same_entries_leave_the_file_as_it_is(path):
    before, written_at = path.read_bytes(), path.stat().st_mtime_ns
    changes = write_instrument(path, ENTRIES, "Another title.")
    assert (changes.unchanged, changes.written, changes.kept) == (KEYS, [], [])
    assert path.read_bytes() == before and path.stat().st_mtime_ns == written_at


def test_byte_order_mark_of_an_editor_is_no_change(path):
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert write_instrument(path, NEW, "").written == KEYS
    assert path.read_text().startswith("# The clarinet.")


def test_entries_that_were_not_edited_are_updated_again_and_again(path):
    for _ in range(2):
        assert write_instrument(path, NEW, "").written == KEYS
        assert path.read_text().count("Again.") == len(KEYS)
        assert write_instrument(path, ENTRIES, "").written == KEYS
        assert path.read_text().startswith("# The clarinet.\n\n# FM patch.")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("f0_min_hz = 100.0", "f0_min_hz = 120.0"),
        ("f0_min_hz = 100.0", "f0_min_hz = 100.0 # as I know"),
        ("# Lowest pitch.", "# Lowest pitch of mine."),
        ("# Lowest pitch.\n", "# Mine.\n# Lowest pitch.\n"),
        ("# Lowest pitch.\n", ""),
    ],
)
def test_edited_entry_is_left_with_its_comments(path, old, new):
    edit(path, old, new)
    changes = write_instrument(path, NEW, "")
    assert changes.kept == ["data.f0_min_hz"] and len(changes.written) == len(KEYS) - 1
    assert new in path.read_text()
    assert write_instrument(path, NEW, "").kept == ["data.f0_min_hz"]


def test_removed_entry_and_patch_in_place_are_left(path):
    edit(path, 'patch = "flute"\n', "")
    edit(path, "# Lowest note.\nlowest_note = 50\n", "lowest_note = 51\n")
    table = '[patch]\nrouting = "6>5>1 4>3>1 2>1"\nratios = [1, 1, 1, 2, 2, 1.5]\n\n[corpus]'
    edit(path, "[corpus]", table)
    changes = write_instrument(path, NEW, "")
    assert changes.kept == ["patch", "corpus.lowest_note"]
    assert table in path.read_text()


def test_blank_lines_order_and_line_ends_are_no_edit(path):
    edit(path, "[data]\n", "\n\n[full]\nn_blocks = 4\nhidden_channels = 9\n\n[data]\n\n")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert write_instrument(path, NEW, "").written == KEYS
    assert tomllib.loads(path.read_text())["full"]["hidden_channels"] == 9


def test_entry_that_could_not_be_measured_before_is_added(tmp_path):
    path = tmp_path / "clarinet.toml"
    write_instrument(path, ENTRIES[:3], "")
    changes = write_instrument(path, [*ENTRIES, Entry("data.urmp_tag", "cl", "Tag.")], "")
    assert changes.unchanged == KEYS[:3] and changes.written == [*KEYS[3:], "data.urmp_tag"]
    table = tomllib.loads(path.read_text())
    assert table["data"]["urmp_tag"] == "cl" and table["corpus"]["highest_note"] == 80


def test_file_written_by_hand_is_left(tmp_path):
    path = tmp_path / "clarinet.toml"
    text = 'patch = "violin"\ndata = {f0_min_hz = 90, f0_max_hz = 800}\n'
    path.write_text(text)
    assert write_instrument(path, ENTRIES, "").kept == KEYS
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("f0_min_hz = 100.0", "f0_min_hz = 40.0", r"clarinet.toml: data.f0_min_hz = 40.0: give a"),
        ("f0_max_hz = 900.0", 'f0_max_hz = "high"', r"clarinet.toml: data.f0_max_hz = 'high'"),
        ("[data]", "[data", "clarinet.toml is not valid TOML"),
    ],
)
def test_file_that_is_not_valid_is_named_and_left(path, old, new, message):
    edit(path, old, new)
    before = path.read_bytes()
    with pytest.raises(UserError, match=message):
        write_instrument(path, NEW, "")
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]


def test_update_that_would_contradict_an_edited_entry_is_refused(path):
    edit(path, "f0_max_hz = 900.0", "f0_max_hz = 110.0")
    before = path.read_bytes()
    higher = [Entry("data.f0_min_hz", 120.0, "Lowest pitch."), *ENTRIES[2:]]
    with pytest.raises(UserError, match=r"data.f0_min_hz = 120.0 is not below data.f0_max_hz"):
        write_instrument(path, [ENTRIES[0], *higher], "")
    assert path.read_bytes() == before
