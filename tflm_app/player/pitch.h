/* Conversion of musical units with integer arithmetic: semitones to Hz, controller values to decibels.
 *
 * Every core gives the same bits. Cost of pitch_to_hz: about 40 instructions on Cortex-M4F. Tables: 516 bytes
 * (pitch_tables.c).
 */
#ifndef PITCH_H
#define PITCH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PITCH_Q16(semitones) ((int32_t)((semitones)*65536.0))
#define DB_Q16(db) ((int32_t)((db)*65536.0))

/* Returns the frequency of a pitch in semitones, Q16, as MIDI note numbers: 69 is 440 Hz. The pitch is
 * clamped to notes 12 to 115, a wider range than that of instrument/frame.h. The error is below 0.03
 * cents. */
float pitch_to_hz(int32_t pitch_q16);

/* 2^(i/64), Q30. */
extern const uint32_t pitch_exp2_q30[65];

/* 40 log10(value / 127) dB, Q8: the attenuation by a velocity or controller value in General MIDI, and in the
 * corpus that the instruments learnt from; -96 dB at 0. */
extern const int16_t gain_db_q8[128];

#ifdef __cplusplus
}
#endif

#endif
