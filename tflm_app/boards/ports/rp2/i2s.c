/* I2S from a state machine of PIO 0: DIN, BCK and LRCK for a DAC that generates its own system clock
 * (PCM5102A).
 *
 * A sample goes to both channels, in slots of 32 bits, because the PLL of the DAC requires 64 BCK per sample
 * at 16 kHz (TI, PCM510xA data sheet, BCK rates for PLL operation). Two instructions per bit make 128 PIO
 * cycles per sample, so the divider is f / (128 rate), in 256ths:
 *
 *     core       16 kHz               48 kHz
 *     125 MHz    61 +   9/256, exact  20 +  88/256, +64 ppm (0.1 cent)
 *     150 MHz    73 +  62/256, exact  24 + 106/256, exact
 *
 * A fractional divider lengthens some cycles by one core cycle: 8 ns of jitter, which the PLL of the DAC
 * averages out.
 *
 * Source: RP2040 datasheet, chapter 3; RP2350 datasheet, chapter 11; Philips, I2S bus specification.
 */
#include "clocks.h"
#include "output.h"
#include "pins.h"
#include "registers.h"

/* An instruction is an operation with operands, ORed with the levels of LRCK and BCK for the side-set. */
#define SIDE(lrck, bck) ((uint32_t)(lrck) << 12 | (uint32_t)(bck) << 11)
#define OUT_PINS_1 0x6001u
#define JMP_X_DEC(address) (0x0040u | (address))
#define SET_X(value) (0xE020u | (value))
#define SET_PINDIRS(value) (0xE080u | (value))
#define JMP(address) (0x0000u | (address))

/* DIN changes when BCK falls, and LRCK changes one bit before its slot begins, as I2S requires. */
static const uint16_t program[] = {
    OUT_PINS_1 | SIDE(0, 0),   /* 0: left, bits 31 to 1 */
    JMP_X_DEC(0) | SIDE(0, 1), /* 1 */
    OUT_PINS_1 | SIDE(1, 0),   /* 2: bit 0 */
    SET_X(30) | SIDE(1, 1),    /* 3 */
    OUT_PINS_1 | SIDE(1, 0),   /* 4: right, bits 31 to 1 */
    JMP_X_DEC(4) | SIDE(1, 1), /* 5 */
    OUT_PINS_1 | SIDE(0, 0),   /* 6: bit 0 */
    SET_X(30) | SIDE(0, 1),    /* 7 */
};
#define PROGRAM_LENGTH (sizeof program / sizeof program[0])

#define PINCTRL(n_out, out, n_set, set, n_side, side) \
    ((n_side) << 29 | (n_set) << 26 | (n_out) << 20 | (side) << 10 | (set) << 5 | (out))

uint32_t output_word(int16_t sample) { return (uint32_t)(uint16_t)sample << 16; }

output_port_t output_prepare(uint32_t sample_rate) {
    clocks_release(RESET_PIO0);
    for (uint32_t i = 0; i < PROGRAM_LENGTH; i++) {
        REGISTER(PIO_INSTR_MEM0 + 4u * i) = program[i];
    }
    /* f / (128 rate) in 256ths; the fields INT and FRAC are adjacent. */
    REGISTER(PIO_SM0_CLKDIV) = (2u * clocks_core_hz() + sample_rate / 2u) / sample_rate << 8;
    REGISTER(PIO_SM0_EXECCTRL) = (PROGRAM_LENGTH - 1u) << 12; /* WRAP_TOP; WRAP_BOTTOM 0 */
    /* FJOIN_TX: both FIFOs send; AUTOPULL of 32 bits, most significant bit first. */
    REGISTER(PIO_SM0_SHIFTCTRL) = 1u << 30 | 1u << 17;
    REGISTER(PIO_CTRL) = PIO_CTRL_RESTART_SM0;
    REGISTER(PIO_SM0_PINCTRL) = PINCTRL(0u, 0u, 3u, PIN_I2S_DATA, 0u, 0u);
    REGISTER(PIO_SM0_INSTR) = SET_PINDIRS(7u); /* three adjacent pins are outputs */
    REGISTER(PIO_SM0_PINCTRL) = PINCTRL(1u, PIN_I2S_DATA, 0u, 0u, 2u, PIN_I2S_BCK);
    REGISTER(PIO_SM0_INSTR) = SET_X(30) | SIDE(0, 0);
    REGISTER(PIO_SM0_INSTR) = JMP(0) | SIDE(0, 0);
    pin_connect(PIN_I2S_DATA, PIN_FUNCTION_PIO0, PAD_OUTPUT);
    pin_connect(PIN_I2S_BCK, PIN_FUNCTION_PIO0, PAD_OUTPUT);
    pin_connect(PIN_I2S_LRCK, PIN_FUNCTION_PIO0, PAD_OUTPUT);
    return (output_port_t){PIO_TXF0, DREQ_PIO0_TX0};
}

void output_start(void) { REGISTER(PIO_CTRL) = PIO_CTRL_ENABLE_SM0; }
