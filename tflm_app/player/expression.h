/* From a note to frames: the pitch and loudness curves of an instrument, as it was heard.
 *
 * A decoder has learnt from curves that rise, fade and tremble in the way of its instrument; this module
 * plays such curves for a note. What is particular to an instrument is a table that
 * `python -m pipeline.expression` learns from its corpus:
 *
 *   envelope  loudness by the time since the note began, and by pitch: attack, swell and decay in one
 *   release   by how much it falls from the moment at which the note ends, likewise
 *   slur      by how much it dips when a note follows without a new attack, while the pitch glides over
 *   vibrato   rate, usual depth, and how long it takes to set in
 *   drift     how far pitch and loudness wander by chance
 *
 * A note that begins while another sounds grows out of the other's release: the louder one is heard.
 *
 * Integer arithmetic: pitch in semitones (MIDI note numbers) and loudness in dB, both Q16. The same bits on
 * every core; pipeline.expression_fixed is the same in Python. Cost: 250 instructions a frame on Cortex-M4F,
 * 770 on M0+. State: 64 bytes a voice; a table takes 64 bytes and 62 for every curve.
 */
#ifndef EXPRESSION_H
#define EXPRESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "instrument/frame.h"

/* Times at which curves are given, in frames of 4 ms: 1, 2, 3, 4, 6, 8, 12, 16, ... 384, 512. Powers of two
 * and the middles between them: dense where a note begins, and apart by powers of two. */
#define EXPRESSION_N_KNOTS 18
#define EXPRESSION_N_RELEASE_KNOTS 11 /* up to 48 frames */
#define EXPRESSION_PITCH_STEP_BITS 3  /* curves are given every 8 semitones */
#define EXPRESSION_SILENCE_DB_Q16 (-75 * 65536)
#define EXPRESSION_USUAL_VIBRATO (-1)

/* Curves at one pitch; values in dB, Q8, within -96 and 0. */
typedef struct {
    int16_t envelope[EXPRESSION_N_KNOTS];        /* loudness of a note of velocity 127 */
    int16_t release[EXPRESSION_N_RELEASE_KNOTS]; /* relative to the loudness at its end */
    int16_t envelope_slope;                      /* beyond the last knot: dB a frame, Q14, at most 0 */
    int16_t release_slope;                       /* likewise, below 0 */
} expression_curves_t;

/* An instrument's table; constant, in flash, written by pipeline.codegen. */
typedef struct {
    const expression_curves_t *curves;        /* [n_curves] from the lowest pitch up */
    int16_t slur[EXPRESSION_N_RELEASE_KNOTS]; /* dB, Q8, at most 0; 0 after the last knot */
    uint8_t n_curves;                         /* at least 2 */
    uint8_t lowest_note;                      /* of the first curves */
    uint8_t slur_frames;                      /* how long the pitch glides; 0: it cannot slur */
    uint8_t vibrato_delay;                    /* frames of a note without vibrato, less than 256 */
    uint16_t vibrato_growth_q16;              /* share of the depth gained a frame after that */
    uint16_t vibrato_depth;                   /* usual one: semitones, Q16 */
    uint32_t vibrato_rate;                    /* turns a frame, Q32 */
    uint16_t pitch_drift;                     /* semitones, Q16, times 2^-15 of a noise within +-2^15 */
    uint16_t loudness_drift;                  /* dB, Q16, likewise */
    int32_t loudest_db;                       /* Q16; louder is not known to the decoder */
} expression_t;

/* By preset, in the order of `instrument_presets`; written by pipeline.codegen. */
extern const expression_t *const expression_presets[];

/* What the player's controllers say, the same for all notes. */
typedef struct {
    int32_t bend;          /* semitones, Q16 */
    int32_t gain_db;       /* Q16 */
    int32_t vibrato_depth; /* semitones, Q16, or EXPRESSION_USUAL_VIBRATO */
} expression_controls_t;

/* A voice's state, owned by the caller; only `level_db` and `pitch` are to be read. */
typedef struct {
    int32_t level_db; /* loudness before controllers and drift, Q16 */
    int32_t pitch;    /* before bend, vibrato and drift, Q16 */
    int32_t pitch_goal;
    int32_t pitch_step;  /* a frame */
    int32_t velocity_db; /* Q16 */
    int32_t velocity_goal_db;
    int32_t tail_db;        /* loudness from which the last note falls */
    uint32_t frames;        /* since the attack; none counts beyond 2^13 */
    uint32_t note_frames;   /* since the attack or slur */
    uint32_t tail_frames;   /* since the last note ended */
    uint32_t glide_frames;  /* to go */
    uint32_t vibrato_phase; /* 2^32 a turn */
    uint32_t noise;
    int32_t pitch_drift;
    int32_t loudness_drift;
    bool is_held;
    bool is_slurred;
} expression_state_t;

/* Makes a voice silent and forgets its past. `seed`: of its drift. */
void expression_reset(expression_state_t *state, uint32_t seed);

/* Attacks a note. note: 0 to 127; velocity: 1 to 127; the pitch glides there from `from` (Q16) in
 * `glide_frames`, 0 for none. */
void expression_start(expression_state_t *state, int note, int velocity, int32_t from, uint32_t glide_frames);

/* Moves a sounding note to another without an attack. */
void expression_slur(expression_state_t *state, int note, int velocity, uint32_t glide_frames);

/* Ends the note. */
void expression_release(expression_state_t *state);

/* Plays the next frame; returns false once nothing is left to be heard. */
bool expression_step(expression_state_t *state, const expression_t *expression,
                     const expression_controls_t *controls, frame_t *frame);

#endif
