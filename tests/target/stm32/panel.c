/* Runs the potentiometers of the Nucleo on the host; its registers are in memory.
 *
 *     panel POSITIONS
 *
 * POSITIONS: two int32 per block, the voltages at A0 and A1, 0 to 65535; -1 if the pin floats. Prints the
 * block, the controller and the value of each report.
 *
 * The simulated hardware: ADC1 is calibrated at the first read and converts at once. A floating pin keeps the
 * voltage to which it was pulled, and is pulled only while it is an input.
 */
#include "../fake_registers.h"

#include <stdio.h>
#include <stdlib.h>

#include "adc.h"
#include "board.h"
#include "board_files.h"
#include "chip.h"
#include "play_board.h"
#include "stm32.h"

#define CALIBRATES (1u << 31)

static int32_t positions[2];
static uint32_t held[2];

static void pull(int number, uintptr_t port, uint32_t pin) {
    const uint32_t mode = *content(port) >> 2 * pin & 3u;
    const uint32_t pulled = *content(port + 0x0Cu) >> 2 * pin & 3u;
    if (mode == PIN_INPUT && pulled != 0) {
        held[number] = pulled == 1 ? 65535 : 0;
    }
}

static void convert(void) {
    uint32_t *const control = content(ADC_CR(ADC1_BASE)), *const state = content(ADC_ISR(ADC1_BASE));
    *control &= ~CALIBRATES;
    *state = (*state & ~(uint32_t)ADC_READY) | ADC_REGULATOR_READY |
             ((*control & ADC_ENABLE) != 0 ? ADC_READY : 0);
    if ((*control & ADC_START) != 0) {
        const int number = *content(ADC1_BASE + 0x30u) >> 6 == 15 ? 0 : 1;
        *content(ADC_DR(ADC1_BASE)) = positions[number] < 0 ? held[number] : (uint32_t)positions[number];
        *control &= ~(uint32_t)ADC_START;
        *state |= ADC_CONVERTED;
    }
}

volatile uint32_t *fake_register(uintptr_t address) {
    pull(0, CHIP_GPIO, 3);
    pull(1, CHIP_GPIO + 0x800u, 0);
    convert();
    if (address == ADC_DR(ADC1_BASE)) {
        *content(ADC_ISR(ADC1_BASE)) &= ~(uint32_t)ADC_CONVERTED;
    }
    return content(address);
}

int main(int argc, char **argv) {
    const int file = argc > 1 ? board_open_read(argv[1]) : -1;
    board_read(file, positions, sizeof positions);
    panel_start();
    uint8_t control, value;
    for (int block = 1; board_read(file, positions, sizeof positions) == sizeof positions; block++) {
        while (board_panel_read(&control, &value)) {
            printf("%d %d %d\n", block, control, value);
        }
    }
    return 0;
}
