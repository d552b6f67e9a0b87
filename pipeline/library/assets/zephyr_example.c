/* Plays a scale on the I2S device of the alias i2s-tx. */
#include <zephyr/drivers/i2s.h>

#include "ddx7.h"

enum { RATE = 48000, FRAMES = 192 }; /* blocks of 4 ms */

static int16_t samples[FRAMES], stereo[FRAMES][2];
K_MEM_SLAB_DEFINE_STATIC(slab, sizeof stereo, 4, 4);
static ddx7_t synth;

int main(void) {
    static const uint8_t scale[] = {60, 62, 64, 65, 67, 69, 71, 72};
    const struct device *const i2s = DEVICE_DT_GET(DT_ALIAS(i2s_tx));
    const struct i2s_config config = { /* format and options 0: I2S, whose clocks are made here */
        .word_size = 16, .channels = 2, .frame_clk_freq = RATE,
        .mem_slab = &slab, .block_size = sizeof stereo, .timeout = SYS_FOREVER_MS,
    };
    int error = i2s_configure(i2s, I2S_DIR_TX, &config) | !ddx7_init(&synth, sizeof synth, RATE);
    for (unsigned n = 0; error == 0; n++) {
        if (n % 125 == 0) { /* half a second */
            ddx7_note_off(&synth, scale[(n / 125 + 7) % 8]);
            ddx7_note_on(&synth, scale[n / 125 % 8], 100);
        }
        ddx7_read(&synth, samples, FRAMES);
        for (int i = 0; i < FRAMES; i++) {
            stereo[i][0] = stereo[i][1] = samples[i];
        }
        error = i2s_buf_write(i2s, stereo, sizeof stereo); /* waits until there is room */
        if (n == 1) { /* two blocks wait */
            error |= i2s_trigger(i2s, I2S_DIR_TX, I2S_TRIGGER_START);
        }
    }
    return error;
}
