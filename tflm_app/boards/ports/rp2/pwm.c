/* PWM on one pin, for a board without a DAC: through 1 kOhm and 10 nF to a line input.
 *
 * A PWM cycle lasts 2048 core cycles: 11 bits at 61 kHz (125 MHz) or 73 kHz (150 MHz), which is inaudible.
 * The DMA writes a new duty at the sample rate, paced by one of its timers: clk_sys * X / Y, which is exact
 * for both rates and both clocks (2/15625 and 6/15625; 1/9375 and 1/3125).
 *
 * Source: RP2040 datasheet, sections 4.5 and 2.5; RP2350 datasheet, sections 12.5 and 12.6.
 */
#include "clocks.h"
#include "output.h"
#include "pins.h"
#include "registers.h"

#define SLICE 4u /* of PIN_PWM: half the number of the pin, modulo 8 */
#define PWM_BITS 11u

uint32_t output_word(int16_t sample) {
    return (uint32_t)(sample + 32768) >> (16u - PWM_BITS); /* channel A; B is not connected */
}

static uint32_t greatest_common_divisor(uint32_t a, uint32_t b) {
    while (b != 0) {
        const uint32_t remainder = a % b;
        a = b;
        b = remainder;
    }
    return a;
}

output_port_t output_prepare(uint32_t sample_rate) {
    clocks_release(RESET_PWM);
    REGISTER(PWM_TOP(SLICE)) = (1u << PWM_BITS) - 1u;
    REGISTER(PWM_CC(SLICE)) = output_word(0);
    pin_connect(PIN_PWM, PIN_FUNCTION_PWM, PAD_OUTPUT);
    const uint32_t divisor = greatest_common_divisor(clocks_core_hz(), sample_rate);
    REGISTER(DMA_BASE + DMA_TIMER0) = sample_rate / divisor << 16 | clocks_core_hz() / divisor;
    return (output_port_t){PWM_CC(SLICE), DREQ_DMA_TIMER0};
}

void output_start(void) { REGISTER(PWM_CSR(SLICE)) = PWM_CSR_ENABLE; }
