// Plays a scale on a Teensy as an object of its Audio library; here it goes to an Audio Shield.
#include <Audio.h>
#include <ddx7.h>

class AudioSynthDdx7 : public AudioStream {
public:
    ddx7_t synth;
    AudioSynthDdx7() : AudioStream(0, nullptr) {
        ddx7_init(&synth, sizeof synth, (uint32_t)AUDIO_SAMPLE_RATE_EXACT);
    }

private:
    void update() override {
        if (audio_block_t *block = allocate()) {
            ddx7_read(&synth, block->data, AUDIO_BLOCK_SAMPLES);
            transmit(block);
            release(block);
        }
    }
};

static AudioSynthDdx7 source;
static AudioOutputI2S output;
static AudioConnection left(source, 0, output, 0), right(source, 0, output, 1);
static AudioControlSGTL5000 shield;

void setup() {
    AudioMemory(8);
    shield.enable();
    shield.volume(0.5);
}

void loop() {
    static const uint8_t SCALE[] = {60, 62, 64, 65, 67, 69, 71, 72};
    for (uint8_t note : SCALE) {
        AudioNoInterrupts();  // update() must not run meanwhile
        ddx7_note_on(&source.synth, note, 100);
        AudioInterrupts();
        delay(500);
        AudioNoInterrupts();
        ddx7_note_off(&source.synth, note);
        AudioInterrupts();
    }
}
