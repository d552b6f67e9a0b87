#include "player/pitch.h"

#include <string.h>

#define LOWEST PITCH_Q16(12)
#define HIGHEST PITCH_Q16(115)
#define LOG2_HZ_OF_NOTE_0_Q26 203431107u /* log2(440) - 69 / 12 */

float pitch_to_hz(int32_t pitch_q16) {
    const int32_t held = pitch_q16 < LOWEST ? LOWEST : pitch_q16 > HIGHEST ? HIGHEST : pitch_q16;
    const uint32_t octaves_q26 = (uint32_t)held * 256u / 3u + LOG2_HZ_OF_NOTE_0_Q26;
    const uint32_t *const entry = &pitch_exp2_q30[(octaves_q26 >> 20) & 63u];
    const uint32_t fraction = (octaves_q26 >> 8) & 0xFFFu; /* of 4096, from entry to entry */
    const uint32_t mantissa_q30 = entry[0] + (((entry[1] - entry[0]) >> 5) * fraction >> 7);
    /* A float: its exponent above 23 digits of the mantissa, whose leading 1 adds to the exponent. */
    const uint32_t bits = (((octaves_q26 >> 26) + 126u) << 23) + ((mantissa_q30 + 64u) >> 7);
    float hz;
    memcpy(&hz, &bits, sizeof hz);
    return hz;
}
