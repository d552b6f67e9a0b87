"""The page of the pretrained models' figures."""

import json

from pipeline.pages import model_figures


def test_a_row_has_the_figures_of_training_and_quantization(tmp_path, monkeypatch):
    sources = {
        "a": {"sound": 5.0, "live_sound": 5.3, "dry": 5.5, "dry_loudness_db": 0.25},
        "b": {"sound": 6.0, "live_sound": 6.1, "dry": 6.5, "dry_loudness_db": 0.5},
    }
    metrics = {"best_step": 1500, "steps": 8000, "mss": {"test": {"sources": sources}}}
    quantization = {
        "methods": {"int8": {"qat": {"level_error_db": 0.174, "mss_to_float": 0.296}}},
        "shipped": {"int8": "qat"},
    }
    folder = tmp_path / "oboe" / "reduced"
    folder.mkdir(parents=True)
    (folder / "config.toml").touch()
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "quantization.json").write_text(json.dumps(quantization))
    monkeypatch.setattr(model_figures, "MODEL_DIR", tmp_path)
    monkeypatch.setattr(model_figures, "shipped_instruments", lambda: ["oboe"])
    title, head, _, row = [line for line in model_figures.page_text().splitlines() if line][-4:]
    assert title == "## Oboe"
    assert head == "| model | best step | a | b | live | int8 | int16x8 |"
    assert row == (
        "| reduced | 1 500 of 8 000 | 5.00, 5.50, 0.25 dB | 6.00, 6.50, 0.50 dB | +0.20 | "
        "0.17 dB, 0.30 (qat) | — |"
    )
