/* Two scales of music as integers: semitones to Hz, controller values to decibels.
 *
 * Integer arithmetic, the same bits everywhere. Cost of pitch_to_hz: about 40 instructions on Cortex-M4F.
 * Tables: 516 bytes, made by python -m pipeline.expression_fixed.
 */
#ifndef PITCH_H
#define PITCH_H

#include <stdint.h>

#define PITCH_Q16(semitones) ((int32_t)((semitones)*65536.0))
#define DB_Q16(db) ((int32_t)((db)*65536.0))

/* Frequency of a pitch in semitones, Q16; MIDI's note numbers, 69 is 440 Hz. Held within notes 12 and 115,
 * which is more than instrument/frame.h lets pass. Within 0.03 cents. */
float pitch_to_hz(int32_t pitch_q16);

/* 2^(i/64), Q30. */
extern const uint32_t pitch_exp2_q30[65];

/* 40 log10(value / 127) dB, Q8: how much softer a velocity or a controller makes, in General MIDI and in the
 * corpus that the instruments learnt from; -96 dB at 0. */
extern const int16_t gain_db_q8[128];

#endif
