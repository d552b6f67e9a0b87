// Plays a scale by I2S on a Raspberry Pi Pico or Pico 2 with the core Arduino-Pico.
// DAC: bit clock on GP10, word clock on GP11, data on GP9.
#include <Arduino.h>
#include <I2S.h>
#include <ddx7.h>

static const int RATE = 48000;
static const uint8_t SCALE[] = {60, 62, 64, 65, 67, 69, 71, 72};

static I2S output(OUTPUT, 10, 9);
static ddx7_t synth;
static unsigned n_notes = 0;

void setup() {
    ddx7_init(&synth, sizeof synth, RATE);
    output.setBitsPerSample(16);
    output.begin(RATE);
}

void loop() {  // half a second: one note
    const uint8_t note = SCALE[n_notes++ % 8];
    ddx7_note_on(&synth, note, 100);
    for (int i = 0; i < RATE / 2; i++) {
        int16_t sample;
        ddx7_read(&synth, &sample, 1);
        output.write16(sample, sample);  // waits until there is room
    }
    ddx7_note_off(&synth, note);
}
