/* Source: RP2040 datasheet, sections 2.14 to 2.18; RP2350 datasheet, sections 7.5, 8.1, 8.2, 8.6. */
#include "clocks.h"

#include "registers.h"

#define CRYSTAL_HZ 12000000u
#define CRYSTAL_STARTUP 47u /* times 256 cycles: 1 ms */
#define PLL_MULTIPLIER 125u /* to 1500 MHz, which the post dividers reduce */
/* 12 MHz * 100 / 5 / 5 = 48 MHz */
#define PLL_USB_MULTIPLIER 100u
#define PLL_USB_POST_DIVIDER 5u
#define WAIT_ROUNDS 100000u /* at least 6 cycles each: 50 ms at 12 MHz, where 1 ms is typical */

static uint32_t core_hz = RING_OSCILLATOR_HZ;
static uint32_t reference_hz = RING_OSCILLATOR_HZ;

static bool wait_for(uint32_t address, uint32_t bits) {
    for (uint32_t round = 0; round < WAIT_ROUNDS; round++) {
        if ((REGISTER(address) & bits) == bits) {
            return true;
        }
    }
    return false;
}

bool clocks_release(uint32_t subsystems) {
    REGISTER(RESETS_RESET + CLEAR_BITS) = subsystems;
    return wait_for(RESETS_DONE, subsystems);
}

static bool start_crystal(void) {
    REGISTER(XOSC_STARTUP) = CRYSTAL_STARTUP;
    REGISTER(XOSC_CTRL) = XOSC_CTRL_ENABLE_1_TO_15_MHZ;
    if (!wait_for(XOSC_STATUS, XOSC_STATUS_STABLE)) {
        return false;
    }
    REGISTER(CLOCKS_REF_CTRL) = CLOCKS_REF_FROM_CRYSTAL;
    return wait_for(CLOCKS_REF_SELECTED, 1u << CLOCKS_REF_FROM_CRYSTAL);
}

static bool start_pll(uint32_t pll, uint32_t reset, uint32_t multiplier, uint32_t divider_1,
                      uint32_t divider_2) {
    if (!clocks_release(reset)) {
        return false;
    }
    REGISTER(PLL_CS(pll)) = 1; /* REFDIV */
    REGISTER(PLL_FBDIV_INT(pll)) = multiplier;
    REGISTER(PLL_PWR(pll) + CLEAR_BITS) = PLL_PWR_PD | PLL_PWR_VCOPD;
    if (!wait_for(PLL_CS(pll), PLL_CS_LOCK)) {
        return false;
    }
    REGISTER(PLL_PRIM(pll)) = divider_1 << 16 | divider_2 << 12;
    REGISTER(PLL_PWR(pll) + CLEAR_BITS) = PLL_PWR_POSTDIVPD;
    return true;
}

static bool run_from_pll(void) {
    if (!start_pll(PLL_SYS_BASE, RESET_PLL_SYS, PLL_MULTIPLIER, PLL_POST_DIVIDER_1, PLL_POST_DIVIDER_2)) {
        return false;
    }
    REGISTER(CLOCKS_SYS_CTRL) = CLOCKS_SYS_FROM_REF; /* AUXSRC may only change while it is not selected */
    REGISTER(CLOCKS_SYS_DIV) = CLOCKS_SYS_DIV_1;
    REGISTER(CLOCKS_SYS_CTRL) = CLOCKS_SYS_FROM_PLL;
    return wait_for(CLOCKS_SYS_SELECTED, 1u << CLOCKS_SYS_FROM_PLL);
}

clocks_error_t clocks_start(void) {
    clocks_error_t error = CLOCKS_FULL_SPEED;
    REGISTER(CLOCKS_SYS_CTRL + CLEAR_BITS) = CLOCKS_SYS_FROM_PLL; /* the boot ROM may have selected it */
    if (!wait_for(CLOCKS_SYS_SELECTED, 1u << CLOCKS_SYS_FROM_REF) || !start_crystal()) {
        error = CLOCKS_NO_CRYSTAL;
    } else {
        core_hz = reference_hz = CRYSTAL_HZ;
        if (!run_from_pll()) {
            REGISTER(CLOCKS_SYS_CTRL + CLEAR_BITS) = CLOCKS_SYS_FROM_PLL;
            error = CLOCKS_NO_PLL;
        } else {
            core_hz = CRYSTAL_HZ / (PLL_POST_DIVIDER_1 * PLL_POST_DIVIDER_2) * PLL_MULTIPLIER;
        }
    }
    REGISTER(CLOCKS_PERI_CTRL) = CLOCKS_PERI_ENABLE;
    return error;
}

/* Starts the PLL of USB and ADC, unless it runs, and then a clock that comes from it. */
static bool start_48_mhz(uint32_t clock_control) {
    static bool has_pll;
    if (!has_pll) {
        has_pll = reference_hz == CRYSTAL_HZ && start_pll(PLL_USB_BASE, RESET_PLL_USB, PLL_USB_MULTIPLIER,
                                                          PLL_USB_POST_DIVIDER, PLL_USB_POST_DIVIDER);
    }
    if (has_pll) {
        REGISTER(clock_control) = CLOCKS_48_MHZ_ENABLE; /* its divider is 1 after a reset */
    }
    return has_pll;
}

bool clocks_start_usb(void) { return start_48_mhz(CLOCKS_USB_CTRL); }

bool clocks_start_adc(void) { return start_48_mhz(CLOCKS_ADC_CTRL); }

uint32_t clocks_core_hz(void) { return core_hz; }

uint32_t clocks_reference_hz(void) { return reference_hz; }
