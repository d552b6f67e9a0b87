/* Runs the potentiometers of a Pico on the host; registers are in memory.
 *
 *     potentiometers POSITIONS
 *
 * POSITIONS: three int32 per block, the voltages at GPIO26 to 28, 0 to 4095; -1 if the pin floats. Prints the
 * block, the controller and the value of each report.
 *
 * The simulated hardware: clocks and PLLs start at once. The ADC converts at once if it was taken out of
 * reset, is enabled, and has a clock from the PLL of the USB at 48 MHz. A floating pin keeps the voltage to
 * which it was pulled. The test defines ADC, CLK_ADC, IO_BANK, PADS, PLL and RESETS, the addresses that the
 * datasheet has.
 */
#include "../fake_registers.h"

#include <stdio.h>
#include <stdlib.h>

#include "board_files.h"
#include "registers.h"

#undef REGISTER
#define REGISTER(address) (*fake_register(address))
volatile uint32_t *fake_register(uint32_t address);

#include "clocks.c"
#include "panel.c"

#define ALIAS 0x3000u

static uint32_t alias, written; /* an access to a register by the addresses that set or clear bits */
static int32_t positions[3];
static uint32_t held[3];

static void finish_alias(void) {
    uint32_t *const target = content(alias & ~ALIAS);
    *target = (alias & ALIAS) == ALIAS ? *target & ~written : *target | written;
    alias = 0;
}

static void step_pads(void) {
    for (uint32_t i = 0; i < 3; i++) {
        const uint32_t pad = *content(PADS + 4u * (26u + i) + 4u);
        if ((pad & 12u) != 0) {
            held[i] = (pad & 8u) != 0 ? 4095 : 0;
        }
    }
}

static void step_adc(void) {
    uint32_t *const control = content(ADC);
    const bool has_pll = *content(PLL + 8u) == 100 && *content(PLL + 12u) == (5u << 16 | 5u << 12);
    const bool is_on =
        (*control & 1u) != 0 && (*content(RESETS) & 1u) == 0 && has_pll && *content(CLK_ADC) == 1u << 11;
    const uint32_t channel = *control >> 12 & 7u;
    const uint32_t pad = *content(PADS + 4u * (26u + channel) + 4u);
    if (is_on && (*control & 4u) != 0) {
        if (channel > 2 || pad != 1u << 7 || *content(IO_BANK + 8u * (26u + channel) + 4u) != 31u) {
            abort();
        }
        *content(ADC + 4u) = positions[channel] < 0 ? held[channel] : (uint32_t)positions[channel];
    }
    *control = (*control & ~(4u | 1u << 8)) | (is_on ? 1u << 8 : 0);
}

volatile uint32_t *fake_register(uint32_t address) {
    if (alias != 0) {
        finish_alias();
    }
    if ((address & ALIAS) >= 0x2000u && address < 0x50000000u) {
        alias = address;
        written = 0;
        return &written;
    }
    *content(RESETS + 8u) = ~*content(RESETS);
    *content(CLOCKS_SYS_SELECTED) = 1u << (*content(CLOCKS_SYS_CTRL) & 1u);
    *content(CLOCKS_REF_SELECTED) = 1u << (*content(CLOCKS_REF_CTRL) & 3u);
    *content(XOSC_STATUS) = *content(XOSC_STATUS) | XOSC_STATUS_STABLE;
    *content(PLL_SYS_BASE) |= PLL_CS_LOCK;
    *content(PLL) |= PLL_CS_LOCK;
    step_pads();
    step_adc();
    return content(address);
}

int main(int argc, char **argv) {
    const int file = argc > 1 ? board_open_read(argv[1]) : -1;
    board_read(file, positions, sizeof positions);
    *content(RESETS) = 0xFFFFFFFFu;
    if (clocks_start() != CLOCKS_FULL_SPEED) {
        return 1;
    }
    rp2_start_panel();
    uint8_t control, value;
    for (int block = 1; board_read(file, positions, sizeof positions) == sizeof positions; block++) {
        while (board_panel_read(&control, &value)) {
            printf("%d %d %d\n", block, control, value);
        }
    }
    return 0;
}
