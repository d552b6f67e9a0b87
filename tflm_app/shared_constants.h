/* Made by python -m pipeline.tables; do not edit. */
#ifndef SHARED_CONSTANTS_H
#define SHARED_CONSTANTS_H

/* Checks a condition at compile time, in C and in C++. */
#ifdef __cplusplus
#define SHARED_ASSERT(condition, message) static_assert(condition, message)
#else
#define SHARED_ASSERT(condition, message) __extension__ _Static_assert(condition, message)
#endif

/* Time: samples per second, samples per frame and per block, frames per second. */
#define SHARED_SAMPLE_RATE 16000
#define SHARED_HOP_SAMPLES 64
#define SHARED_FRAME_RATE 250

/* The decoder: f0 and loudness in, one logit per operator out. */
#define SHARED_N_INPUTS 2
#define SHARED_N_OPERATORS 6

/* Pitch and loudness: bounds, and how the decoder scales them: note / 127, dB / 80 + 1. */
#define SHARED_MIN_F0_HZ 20.0f
#define SHARED_MAX_F0_HZ 4000.0f
#define SHARED_DEFAULT_F0_HZ 440.0f
#define SHARED_MIN_LOUDNESS_DB (-80.0f)
#define SHARED_MAX_LOUDNESS_DB 0.0f
#define SHARED_GATE_DB 4
#define SHARED_GATE_OPEN_BITS 0xC2980000u
#define SHARED_NOTE_OF_1_HZ (-36.3763166f)
#define SHARED_LOG2_HZ_OF_NOTE_0_Q26 203431107u
#define SHARED_ANALYSIS_MIN_F0_HZ 100.0f
#define SHARED_LIVE_MIN_F0_HZ 100.0f
#define SHARED_LIVE_MAX_F0_HZ 1500.0f

/* Operator levels in turns, at most 0.32; and the sine's table. */
#define SHARED_MAX_LEVEL_Q32 1374389535
#define SHARED_FM_LEVEL_MAX_Q32 1374367488
#define SHARED_LEVEL_FLOOR_Q32 1374390u
#define SHARED_LOG2_MAX_LEVEL_Q12 124339
#define SHARED_SINE_LINES 512

/* Noise, and the generator of random numbers. */
#define SHARED_NOISE_TABLE_SAMPLES 1024
#define SHARED_NOISE_N_LAYERS 2
#define SHARED_NOISE_QUIET_DB (-70)
#define SHARED_NOISE_FADE_OCTAVES 2
#define SHARED_NOISE_MAX_GAIN_Q12 61439
#define SHARED_RANDOM_MULTIPLIER 1664525u
#define SHARED_RANDOM_INCREMENT 1013904223u
#define SHARED_RANDOM_SEED_STEP 0x9E3779B9u

/* Expression: knots of a curve, levels in dB, times in frames. */
#define SHARED_EXPRESSION_N_KNOTS 18
#define SHARED_EXPRESSION_N_RELEASE_KNOTS 11
#define SHARED_EXPRESSION_LAST_RELEASE_KNOT 48
#define SHARED_EXPRESSION_PITCH_STEP_BITS 3
#define SHARED_EXPRESSION_NOTHING_DB (-128)
#define SHARED_EXPRESSION_SILENCE_DB (-75)
#define SHARED_EXPRESSION_LONGEST_FRAMES 8192u
#define SHARED_EXPRESSION_ATTACK_FRAMES 64u
#define SHARED_EXPRESSION_TAKE_OVER_FRAMES 128u
#define SHARED_EXPRESSION_REPEAT_DB 3
#define SHARED_EXPRESSION_USUAL_VIBRATO (-1)

/* Bounds of an expression table. */
#define SHARED_EXPRESSION_MAX_CURVES 12
#define SHARED_EXPRESSION_MAX_LOWEST_NOTE 120
#define SHARED_EXPRESSION_LOWEST_DB_Q8 (-24576)
#define SHARED_EXPRESSION_LOWEST_SLOPE_Q14 (-29491)
#define SHARED_EXPRESSION_HIGHEST_RELEASE_SLOPE_Q14 (-151)
#define SHARED_EXPRESSION_MAX_SLUR_FRAMES 250
#define SHARED_EXPRESSION_MAX_VIBRATO_DELAY 250
#define SHARED_EXPRESSION_MIN_VIBRATO_GROWTH_Q16 26
#define SHARED_EXPRESSION_MAX_VIBRATO_DEPTH 64881
#define SHARED_EXPRESSION_MAX_VIBRATO_RATE 343597384u
#define SHARED_EXPRESSION_MAX_PITCH_DRIFT 14082
#define SHARED_EXPRESSION_MAX_LOUDNESS_DRIFT 28163

/* Partitions of the reverb: taps of one in the tail, and in a head before a tail. */
#define SHARED_REVERB_TAIL_SAMPLES 256
#define SHARED_REVERB_TAIL_START 512
#define SHARED_REVERB_GROUP_FLOATS 8

/* The upsampler. */
#define SHARED_UPSAMPLER_FACTOR 3
#define SHARED_UPSAMPLER_TAPS 96

/* Blocks in the window of the live analysis. */
#define SHARED_ANALYSIS_N_BLOCKS 5

/* Input gain: the level that inputs are brought to, and how the automatic gain follows. */
#define SHARED_CALIBRATED_LEVEL_DB (-16.0f)
#define SHARED_MAX_GAIN_DB 80.0f
#define SHARED_OCTAVES_PER_DB 0.332192809f
#define SHARED_GAIN_APERIODICITY 0.2f
#define SHARED_GAIN_QUIET_DB (-60.0f)
#define SHARED_GAIN_RANGE_DB 40.0f
#define SHARED_GAIN_UP 0.95f
#define SHARED_GAIN_DOWN 0.05f
#define SHARED_GAIN_FIRST_STEP_DB 8.0f
#define SHARED_GAIN_LAST_STEP_DB 0.04f
#define SHARED_GAIN_SHRINK 0.99f
#define SHARED_GAIN_RISE_DB 0.1f
#define SHARED_GAIN_BOUND_DB 40.0f

/* What a voice of the player did in a block. */
#define SHARED_VOICE_SILENT 0
#define SHARED_VOICE_BEGUN 1
#define SHARED_VOICE_PLAYED 2
#define SHARED_VOICE_FADED 3

#endif
