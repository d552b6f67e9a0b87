#include "player/pitch.h"

#include <string.h>

#include "shared_constants.h"

#define LOWEST PITCH_Q16(12)
#define HIGHEST PITCH_Q16(115)
#define LOG2_HZ_OF_NOTE_0_Q26 SHARED_LOG2_HZ_OF_NOTE_0_Q26 /* log2(440) - 69 / 12 */

float pitch_to_hz(int32_t pitch_q16) {
    const int32_t clamped = pitch_q16 < LOWEST ? LOWEST : pitch_q16 > HIGHEST ? HIGHEST : pitch_q16;
    const uint32_t octaves_q26 = (uint32_t)clamped * 256u / 3u + LOG2_HZ_OF_NOTE_0_Q26;
    const uint32_t *const entry = &pitch_exp2_q30[(octaves_q26 >> 20) & 63u];
    const uint32_t fraction = (octaves_q26 >> 8) & 0xFFFu; /* in 4096ths of the distance between entries */
    const uint32_t mantissa_q30 = entry[0] + (((entry[1] - entry[0]) >> 5) * fraction >> 7);
    /* Assemble a float. The leading 1 of the mantissa adds to the exponent, which is therefore one
     * smaller. */
    const uint32_t bits = (((octaves_q26 >> 26) + 126u) << 23) + ((mantissa_q30 + 64u) >> 7);
    float hz;
    memcpy(&hz, &bits, sizeof hz);
    return hz;
}
