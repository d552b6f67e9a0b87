#include "player/expression.h"

#include "fm/fm_sine.h"
#include "player/pitch.h"

#define NOTHING_DB DB_Q16(SHARED_EXPRESSION_NOTHING_DB)
#define LONGEST SHARED_EXPRESSION_LONGEST_FRAMES      /* counters stop here, after 33 s */
#define ATTACK_FRAMES SHARED_EXPRESSION_ATTACK_FRAMES /* how long a held note may stay below silence */
#define VELOCITY_SMOOTHING 2 /* per frame, a slur moves the velocity by a quarter of the distance */
#define DRIFT_SMOOTHING 5    /* random numbers are low-passed at 1.2 Hz */

void expression_reset(expression_state_t *state, uint32_t seed) {
    *state = (expression_state_t){.level_db = NOTHING_DB, .tail_db = NOTHING_DB, .noise = seed};
}

static void glide(expression_state_t *state, int note, uint32_t frames) {
    state->pitch_goal = note << 16;
    state->glide_frames = frames;
    if (frames == 0) {
        state->pitch = state->pitch_goal;
    } else {
        state->pitch_step = (state->pitch_goal - state->pitch) / (int32_t)frames;
    }
}

void expression_slur(expression_state_t *state, int note, int velocity, uint32_t glide_frames) {
    state->is_held = true;
    state->is_slurred = true;
    state->tail_db = NOTHING_DB;
    state->note_frames = 0;
    state->velocity_goal_db = gain_db_q8[velocity] * 256;
    glide(state, note, glide_frames);
}

void expression_release(expression_state_t *state) {
    state->is_held = false;
    state->tail_db = state->level_db;
    state->tail_frames = 0;
}

/* Returns the value of a curve at `frames` >= 1, dB in Q16, at least NOTHING_DB. Knot 0 is at 1 frame, knots
 * 2k - 1 and 2k are at 2^k and 1.5 * 2^k frames. */
static int32_t curve_at(const int16_t *knots, uint32_t n_knots, int32_t slope, uint32_t frames) {
    const uint32_t octave = 31u - (uint32_t)__builtin_clz(frames);
    if (octave == 0) {
        return knots[0] * 256;
    }
    const uint32_t half_bits = octave - 1; /* two knots per octave */
    const uint32_t knot = 2 * octave - 1 + ((frames >> half_bits) & 1u);
    if (knot >= n_knots - 1) {
        const uint32_t last = n_knots % 2 == 0 ? 1u << (n_knots / 2) : 3u << (n_knots / 2 - 1);
        const int32_t value = knots[n_knots - 1] * 256 + slope * 4 * (int32_t)(frames - last);
        return value < NOTHING_DB ? NOTHING_DB : value;
    }
    const int32_t past = (int32_t)(frames & ((1u << half_bits) - 1));
    return knots[knot] * 256 + (((knots[knot + 1] - knots[knot]) * 256 * past) >> half_bits);
}

/* Returns the curves below a pitch, which the curves above it follow in memory, and the distance of the pitch
 * from the lower ones, Q11. */
static const expression_curves_t *curves_around(const expression_t *expression, int32_t pitch,
                                                int32_t *fraction_q11) {
    const int32_t highest = (expression->n_curves - 1) << (EXPRESSION_PITCH_STEP_BITS + 16);
    int32_t above = pitch - (expression->lowest_note << 16);
    above = above < 0 ? 0 : above > highest - 1 ? highest - 1 : above;
    *fraction_q11 = (above >> (EXPRESSION_PITCH_STEP_BITS + 5)) & 0x7FF;
    return &expression->curves[above >> (EXPRESSION_PITCH_STEP_BITS + 16)];
}

static int32_t between(int32_t low, int32_t high, int32_t fraction_q11) {
    return low + ((((high - low) >> 4) * fraction_q11) >> 7);
}

static uint32_t count(uint32_t frames) { return frames < LONGEST ? frames + 1 : frames; }

/* Returns the loudness of a held note of full velocity at a pitch, `frames` >= 1 after its attack. */
static int32_t envelope_at(const expression_t *expression, int32_t pitch, uint32_t frames) {
    int32_t fraction;
    const expression_curves_t *const low = curves_around(expression, pitch, &fraction);
    const expression_curves_t *const high = low + 1;
    return between(curve_at(low->envelope, EXPRESSION_N_KNOTS, low->envelope_slope, frames),
                   curve_at(high->envelope, EXPRESSION_N_KNOTS, high->envelope_slope, frames), fraction);
}

/* Returns the loudness of the release, `frames` >= 1 after the end of the note. */
static int32_t release_at(const expression_state_t *state, const expression_t *expression, uint32_t frames) {
    int32_t fraction;
    const expression_curves_t *const low = curves_around(expression, state->pitch, &fraction);
    const expression_curves_t *const high = low + 1;
    return state->tail_db +
           between(curve_at(low->release, EXPRESSION_N_RELEASE_KNOTS, low->release_slope, frames),
                   curve_at(high->release, EXPRESSION_N_RELEASE_KNOTS, high->release_slope, frames),
                   fraction);
}

/* Returns the loudness before controllers and drift. */
static int32_t level(expression_state_t *state, const expression_t *expression) {
    int32_t level_db = NOTHING_DB;
    if (state->is_held) {
        level_db = envelope_at(expression, state->pitch, state->frames) + state->velocity_db;
        if (state->is_slurred && state->note_frames <= SHARED_EXPRESSION_LAST_RELEASE_KNOT) {
            level_db += curve_at(expression->slur, EXPRESSION_N_RELEASE_KNOTS, 0, state->note_frames);
        }
    }
    if (state->tail_db > NOTHING_DB) {
        state->tail_frames = count(state->tail_frames);
        const int32_t tail_db = release_at(state, expression, state->tail_frames);
        if (tail_db < EXPRESSION_SILENCE_DB_Q16) {
            state->tail_db = NOTHING_DB;
        } else if (tail_db > level_db) {
            level_db = tail_db;
        }
    }
    return level_db;
}

/* Ends the release and returns the last frame at which the attack of the next note is not louder than it, by
 * bisection: 0 if there is none. */
static uint32_t take_over(expression_state_t *state, const expression_t *expression, int32_t velocity_db,
                          bool is_repeated) {
    int32_t goal_db =
        state->tail_frames > 0 ? release_at(state, expression, state->tail_frames) : state->tail_db;
    const int32_t repeat_db = state->tail_db - DB_Q16(SHARED_EXPRESSION_REPEAT_DB);
    if (is_repeated && repeat_db < goal_db) {
        goal_db = repeat_db;
    }
    state->tail_db = NOTHING_DB;
    uint32_t frames = 0;
    for (uint32_t bit = SHARED_EXPRESSION_TAKE_OVER_FRAMES / 2; bit > 0; bit /= 2) {
        if (envelope_at(expression, state->pitch, frames | bit) + velocity_db <= goal_db) {
            frames |= bit;
        }
    }
    return frames;
}

void expression_start(expression_state_t *state, const expression_t *expression, int note, int velocity,
                      int32_t from, uint32_t glide_frames) {
    const int32_t velocity_db = gain_db_q8[velocity] * 256;
    const bool is_repeated = note << 16 == state->pitch_goal;
    if (velocity_db < state->velocity_db && state->tail_db > NOTHING_DB) {
        state->tail_db += velocity_db - state->velocity_db;
    }
    state->is_held = true;
    state->is_slurred = false;
    state->note_frames = 0;
    state->velocity_goal_db = velocity_db;
    state->velocity_db = velocity_db;
    state->pitch = from;
    glide(state, note, glide_frames);
    const bool follows = state->tail_db > NOTHING_DB && expression->slur_frames > 0;
    state->frames = follows ? take_over(state, expression, velocity_db, is_repeated) : 0;
}

/* Returns a random number, uniform within +-2^15: the upper bits of a linear congruential generator. */
static int32_t next_noise(expression_state_t *state) {
    state->noise = state->noise * SHARED_RANDOM_MULTIPLIER + SHARED_RANDOM_INCREMENT;
    return (int32_t)(state->noise >> 16) - 32768;
}

static void drift(int32_t *value, int32_t noise, uint16_t amount) {
    *value += ((noise * (int32_t)amount) >> 15) - (*value >> DRIFT_SMOOTHING);
}

static int32_t vibrato(expression_state_t *state, const expression_t *expression, int32_t wanted_depth) {
    const uint32_t delay = expression->vibrato_delay;
    const int32_t depth = wanted_depth == EXPRESSION_USUAL_VIBRATO ? expression->vibrato_depth : wanted_depth;
    if (state->note_frames <= delay || depth == 0) {
        state->vibrato_phase = 0;
        return 0;
    }
    const uint32_t growing = (state->note_frames - delay) * expression->vibrato_growth_q16;
    const int32_t share_q12 = growing > 65535u ? 4096 : (int32_t)(growing >> 4);
    state->vibrato_phase += expression->vibrato_rate;
    const int32_t sine_q14 = fm_sine(state->vibrato_phase >> 8) >> 17;
    return ((depth * share_q12) >> 12) * sine_q14 >> 14;
}

bool expression_step(expression_state_t *state, const expression_t *expression,
                     const expression_controls_t *controls, frame_t *frame) {
    state->frames = count(state->frames);
    state->note_frames = count(state->note_frames);
    state->velocity_db += (state->velocity_goal_db - state->velocity_db) >> VELOCITY_SMOOTHING;
    if (state->glide_frames > 0) {
        state->glide_frames--;
        state->pitch += state->pitch_step;
        if (state->glide_frames == 0) {
            state->pitch = state->pitch_goal;
        }
    }
    state->level_db = level(state, expression);

    const int32_t noise = next_noise(state);
    drift(&state->pitch_drift, noise, expression->pitch_drift);
    drift(&state->loudness_drift, next_noise(state), expression->loudness_drift);
    const int32_t trembling = vibrato(state, expression, controls->vibrato_depth);
    int32_t loudness_db = state->level_db + state->loudness_drift + controls->gain_db;
    if (loudness_db > expression->loudest_db) {
        loudness_db = expression->loudest_db;
    }
    frame->f0_hz = pitch_to_hz(state->pitch + state->pitch_drift + trembling + controls->bend);
    frame->loudness_db = (float)loudness_db * (1.0f / 65536.0f);
    return state->level_db > EXPRESSION_SILENCE_DB_Q16 || (state->is_held && state->frames < ATTACK_FRAMES);
}
