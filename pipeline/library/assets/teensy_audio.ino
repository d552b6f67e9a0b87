// Plays a scale on a Teensy with its Audio library; here it goes to an Audio Shield.
#include <Audio.h>
#include <ddx7.h>

static const uint8_t SCALE[] = {60, 62, 64, 65, 67, 69, 71, 72};
static const unsigned N_BLOCKS = 172;  // of a note: half a second

static AudioPlayQueue queue;
static AudioOutputI2S output;
static AudioConnection left(queue, 0, output, 0), right(queue, 0, output, 1);
static AudioControlSGTL5000 shield;
static ddx7_t synth;

void setup() {
    AudioMemory(8);
    shield.enable();
    shield.volume(0.5);
    ddx7_init(&synth, sizeof synth, (uint32_t)AUDIO_SAMPLE_RATE_EXACT);
}

void loop() {
    static unsigned n_notes = 0;
    const uint8_t note = SCALE[n_notes++ % 8];
    ddx7_note_on(&synth, note, 100);
    for (unsigned n = 0; n < N_BLOCKS; n++) {
        ddx7_read(&synth, queue.getBuffer(), AUDIO_BLOCK_SAMPLES);  // waits until one is free
        queue.playBuffer();
    }
    ddx7_note_off(&synth, note);
}
