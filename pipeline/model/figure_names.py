"""The names of the figures of `pipeline.model.measurement`, which is slow to import."""

FIGURES = (
    *("mss", "mss_sound", "mss_pauses", "log_mel_db", "mss_partials", "mss_between"),
    *("partial_error_db", "partial_bias_low_db", "partial_bias_mid_db", "partial_bias_high_db"),
    *("noise_bias_low_db", "noise_bias_mid_db", "noise_bias_high_db"),
    *("hnr_bias_db", "hnr_error_db", "f0_error_cents", "loudness_error_db"),
    *("onset_loudness_error_db", "onset_f0_error_cents"),
    *("sustain_loudness_error_db", "sustain_f0_error_cents", "silence_dbfs"),
)
