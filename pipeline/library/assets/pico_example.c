/* Plays a scale by I2S on a Raspberry Pi Pico or Pico 2. DAC: data on GP9, clocks on GP10 and GP11 (words).
 */
#include "ddx7.h"
#include "pico/audio_i2s.h"
#include "pico/stdlib.h"

#define RATE 48000
#define LENGTH (RATE / 2) /* of a note: half a second */

static ddx7_t synth;

int main(void) {
    static const uint8_t scale[] = {60, 62, 64, 65, 67, 69, 71, 72};
    static audio_format_t format = {RATE, AUDIO_BUFFER_FORMAT_PCM_S16, 1};
    static audio_buffer_format_t buffers = {&format, sizeof(int16_t)};
    const audio_i2s_config_t pins = {.data_pin = 9, .clock_pin_base = 10, .dma_channel = 0, .pio_sm = 0};
    audio_buffer_pool_t *const pool = audio_new_producer_pool(&buffers, 3, RATE / 250);
    audio_i2s_setup(&format, &pins);
    audio_i2s_connect(pool);
    audio_i2s_set_enabled(true);
    ddx7_init(&synth, sizeof synth, RATE);
    for (unsigned n = 0;; n++) {
        ddx7_note_on(&synth, scale[n % 8], 100);
        for (unsigned played = 0; played < LENGTH;) {
            audio_buffer_t *const buffer = take_audio_buffer(pool, true); /* waits until one is free */
            ddx7_read(&synth, (int16_t *)buffer->buffer->bytes, buffer->max_sample_count);
            buffer->sample_count = buffer->max_sample_count;
            played += buffer->sample_count;
            give_audio_buffer(pool, buffer);
        }
        ddx7_note_off(&synth, scale[n % 8]);
    }
}
