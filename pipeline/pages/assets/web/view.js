// The figures that the audio thread gives to the page: its own, then those of the module (web_view of
// tflm_app/apps/web, in the same order), then those of each voice.
const STATS = ["load", "handled", "underruns", "lateInput", "delayMs", "tuneBlock", "sourceBlock"];
const VIEW_INPUT = ["f0Hz", "loudnessDb", "aperiodicity", "gainDb", "stolen", "isDemo", "program", "isMono", "volume"];
const VIEW_VOICE = 4; // phase, preset, f0_hz, loudness_db; the levels follow
const N_OPERATORS = 6;

// Returns the number of figures for `nVoices`, without those of the audio thread.
function viewSize(nVoices) {
  return VIEW_INPUT.length + nVoices * (VIEW_VOICE + N_OPERATORS);
}

// Returns the figures by name, and the voices that sound, the loudest first.
function readView(values) {
  const view = { voices: [] };
  [...STATS, ...VIEW_INPUT].forEach((name, i) => (view[name] = values[i]));
  for (let i = STATS.length + VIEW_INPUT.length; i < values.length; i += VIEW_VOICE + N_OPERATORS) {
    const [phase, preset, f0Hz, loudnessDb] = values.subarray(i, i + VIEW_VOICE);
    const levels = values.subarray(i + VIEW_VOICE, i + VIEW_VOICE + N_OPERATORS);
    if (phase) view.voices.push({ preset, f0Hz, loudnessDb, levels, note: 69 + 12 * Math.log2(f0Hz / 440) });
  }
  view.voices.sort((a, b) => b.loudnessDb - a.loudnessDb);
  return view;
}
