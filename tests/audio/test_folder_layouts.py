"""Folders of recordings: which files of a known layout are used."""

from pathlib import Path

import pytest
from support.sounds import write_tones

from pipeline.audio.recordings import open_recordings
from pipeline.core.errors import UserError
from pipeline.core.instrument_config import load_instrument

FLUTE = load_instrument("flute")


def test_urmp_layout_gives_only_the_tracks_of_the_instrument(tmp_path: Path) -> None:
    write_tones(
        tmp_path,
        "01_Jupiter_vn_vc/AuSep_1_vn_01_Jupiter.wav",
        "01_Jupiter_vn_vc/AuMix_01_Jupiter_vn_vc.wav",
        "17_Nocturne_vn_fl_cl/AuSep_2_fl_17_Nocturne.wav",
        "17_Nocturne_vn_fl_cl/AuSep_3_cl_17_Nocturne.wav",
    )
    found = open_recordings([tmp_path], FLUTE.data)
    assert [recording.path.name for recording in found.recordings] == ["AuSep_2_fl_17_Nocturne.wav"]
    with pytest.raises(UserError, match=r"AuSep_.*tpt"):
        open_recordings([tmp_path], load_instrument("trumpet").data)


def test_jazznet_layout_gives_arpeggios_and_scales(tmp_path: Path) -> None:
    write_tones(
        tmp_path,
        "arpeggios/maj-arpeggio/C#-4-maj-arpeggio-0.wav",
        "chords/aug-chord/A-1-aug-chord-2.wav",
        "progressions/ii-V-I/D-3-ii-V-I-0.wav",
        "scales/phrygian/Eb-5-phrygian-3.wav",
    )
    found = open_recordings([tmp_path], load_instrument("piano").data)
    names = [recording.path.name for recording in found.recordings]
    assert names == ["C#-4-maj-arpeggio-0.wav", "Eb-5-phrygian-3.wav"]
