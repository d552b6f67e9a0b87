/* The CS43L22 behind I2S3: powered up and configured over I2C1, to play at its headphone output.
 *
 * Sources: CS43L22 datasheet DS792F2, page 17 (timing of the control port), sections 4.6 (clocking), 4.9
 * (power-up), 4.11 (required settings), 5 (control port) and 7 (registers); RM0090 sections 27.3.3 (I2C as
 * master) and 27.6.1 (I2C_CR1).
 */
#include "chip.h"
#include "pins.h"
#include "play_board.h"
#include "stm32.h"

#define CODEC_ADDRESS 0x94u /* with the write bit */
#define I2C_HZ 100000u

enum { /* I2C_CR1 */
       I2C_ENABLE = 1u << 0,
       I2C_START = 1u << 8,
       I2C_STOP = 1u << 9,
       I2C_RESET = 1u << 15,
};
enum { /* I2C_SR1 */
       STARTED = 1u << 0,
       ADDRESSED = 1u << 1,
       SENT = 1u << 2,
};

static const uint8_t settings[][2] = {
    {0x02, 0x01}, /* powered down during configuration */
    {0x00, 0x99}, /* up to {0x00, 0}: settings that the datasheet requires without explaining them */
    {0x47, 0x80}, {0x32, 0xBB}, /* bit 7 is set and cleared; the other bits are those of a similar codec, the
                                   CS42L52 */
    {0x32, 0x3B}, {0x00, 0x00}, {0x04, 0xAF}, /* headphones on, speaker off */
    {0x05, 0x80},                             /* detects the ratio of its clocks by itself */
    {0x06, 0x04},                             /* slave, I2S */
    {0x20, 0xE8},                             /* master volume, both channels: -12 dB, for headphones */
    {0x21, 0xE8}, {0x02, 0x9E},               /* powered up */
};

/* Waits for at least a millisecond; the codec needs half a microsecond after its reset. */
static void wait_a_millisecond(void) {
    const uint32_t begin = board_cycles();
    uint32_t polls = WAIT_POLLS;
    while (polls > 0 && board_cycles() - begin < clocks.core_hz / 1000u) {
        polls--;
    }
}

static void start_i2c(void) {
    I2C1_CR1 = I2C_RESET;
    I2C1_CR1 = 0;
    I2C1_CR2 = clocks.control_hz / 1000000u;
    I2C1_CCR = clocks.control_hz / (2 * I2C_HZ);
    I2C1_TRISE = clocks.control_hz / 1000000u + 1; /* 1 us */
    I2C1_CR1 = I2C_ENABLE;
}

static bool send(uint8_t byte) {
    I2C1_DR = byte;
    return wait_until(I2C1_SR1_ADDRESS, SENT, SENT);
}

static bool write_register(uint8_t number, uint8_t value) {
    I2C1_CR1 = I2C_ENABLE | I2C_START;
    bool is_taken = wait_until(I2C1_SR1_ADDRESS, STARTED, STARTED);
    if (is_taken) {
        I2C1_DR = CODEC_ADDRESS;
        is_taken = wait_until(I2C1_SR1_ADDRESS, ADDRESSED, ADDRESSED);
        (void)I2C1_SR2; /* reading both status registers clears the flag */
    }
    is_taken = is_taken && send(number) && send(value);
    I2C1_CR1 = I2C_ENABLE | I2C_STOP; /* CR1 must not be written again before the stop is done */
    return is_taken && wait_until(I2C1_CR1_ADDRESS, I2C_STOP, 0);
}

bool codec_start(void) {
    wait_a_millisecond();
    pin_write(PIN_CODEC_RESET, true);
    wait_a_millisecond();
    start_i2c();
    for (uint32_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (!write_register(settings[i][0], settings[i][1])) {
            return false;
        }
    }
    return true;
}
