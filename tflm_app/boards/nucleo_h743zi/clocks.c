/* 480 MHz (400 MHz before revision V of the chip) from the 8 MHz of the ST-LINK, or else from the internal
 * oscillator of 64 MHz, or else that oscillator without the PLL. Source: RM0433 sections 4.3.8 (flash), 6.6
 * and 6.8 (voltage), 8.5 and 8.7 (clocks). */
#include "chip.h"
#include "stm32.h"

#define HSI_HZ 64000000u
#define PLL_INPUT_HZ 2000000u /* of both PLLs */
#define PLL_FROM_HSE (2u | 4u << 4 | 4u << 20)
#define PLL_FROM_HSI (0u | 32u << 4 | 32u << 20)

/* PLL1 and PLL3 use the wide oscillator, for an input of 2 to 4 MHz. Outputs P and Q of both are on; I2S uses
 * Q of PLL1 before it is switched to PLL3, which needs both to run. */
#define PLL_CONFIG (1u << 2 | 1u << 10 | 1u << 16 | 1u << 17 | 1u << 22 | 1u << 23)
#define PLL_DIVIDERS(n, p, q) (((n)-1u) | ((p)-1u) << 9 | ((q)-1u) << 16 | 1u << 24)

/* PLL3: 2 MHz * 384 = 768 MHz. For sound, / 25 = 30.72 MHz, which i2s.c divides to exactly 16 or 48 kHz; for
 * USB, / 16 = 48 MHz. The timers divide the core clock to exactly the rate of the sound. */
#define PLL3_DIVIDERS PLL_DIVIDERS(384u, 25u, 16u)
_Static_assert(PLL_INPUT_HZ * 384u / 25u == CHIP_SOUND_HZ && PLL_INPUT_HZ * 384u / 16u == 48000000u, "");
_Static_assert(480000000u / 2 % 16000u == 0 && 400000000u / 2 % 16000u == 0 && HSI_HZ % 16000u == 0,
               "TIM2 counts whole samples");

#define HALVED 8u     /* AHB: half the core clock */
#define BUS_HALVED 4u /* every APB: half the AHB clock */
#define FLASH_WAITS (4u | 2u << 4)
#define SELECT_PLL1 3u
#define VOLTAGE_SCALE_1 (3u << 14)
#define OVERDRIVE 1u

clocks_t clocks = {HSI_HZ, HSI_HZ, HSI_HZ, HSI_HZ, HSI_HZ};

/* Selects the linear regulator, which can be done once after power-on, and raises the core voltage. Returns
 * the clock that the voltage allows. Each write is read back, so that the ready flag is not that of the old
 * state. */
static uint32_t raise_voltage(void) {
    PWR_CR3 = (PWR_CR3 & ~7u) | 2u;
    if (!wait_until(PWR_CSR1_ADDRESS, PWR_READY, PWR_READY)) {
        return HSI_HZ;
    }
    PWR_D3CR = VOLTAGE_SCALE_1;
    (void)PWR_D3CR;
    if (!wait_until(PWR_D3CR_ADDRESS, PWR_READY, PWR_READY)) {
        return HSI_HZ;
    }
    if (CHIP_IS_EARLY()) {
        return 400000000u;
    }
    RCC_APB4ENR |= 1u << 1; /* SYSCFG */
    (void)RCC_APB4ENR;
    SYSCFG_PWRCR |= OVERDRIVE;
    (void)SYSCFG_PWRCR;
    return wait_until(PWR_D3CR_ADDRESS, PWR_READY, PWR_READY) ? 480000000u : 400000000u;
}

static void configure_plls(bool has_crystal, uint32_t core_hz) {
    RCC_PLLCKSELR = has_crystal ? PLL_FROM_HSE : PLL_FROM_HSI;
    RCC_PLL1DIVR = PLL_DIVIDERS(2u * core_hz / PLL_INPUT_HZ, 2u, 8u);
    RCC_PLL3DIVR = PLL3_DIVIDERS;
    RCC_PLLCFGR = PLL_CONFIG;
}

static bool start_pll(void) {
    RCC_CR |= RCC_CR_PLL1_ON;
    if (!wait_until(RCC_BASE, RCC_CR_PLL1_READY, RCC_CR_PLL1_READY)) {
        RCC_CR &= ~RCC_CR_PLL1_ON;
        return false;
    }
    FLASH_ACR = FLASH_WAITS;
    (void)FLASH_ACR;
    RCC_D1CFGR = HALVED | BUS_HALVED << 4;
    RCC_D2CFGR = BUS_HALVED << 4 | BUS_HALVED << 8;
    RCC_D3CFGR = BUS_HALVED << 4;
    RCC_CFGR = SELECT_PLL1;
    return wait_until(RCC_CFGR_ADDRESS, 7u << 3, SELECT_PLL1 << 3);
}

void clocks_start(void) {
    RCC_AHB1ENR |= 3u | 1u << 5;              /* DMA1 and 2, ADC1 */
    RCC_AHB4ENR |= 0x3Fu | 1u << 24;          /* GPIOA to F, ADC3 */
    RCC_APB1LENR |= 1u | 1u << 15 | 3u << 17; /* TIM2, SPI3, USART2 and 3 */
    RCC_APB2ENR |= 1u << 5;                   /* USART6 */
    if (RCC_RSR & RCC_RSR_WATCHDOG) {
        errors_record(ERROR_WATCHDOG);
    }
    RCC_RSR |= RCC_RSR_REMOVE_FLAGS;

    const uint32_t core_hz = raise_voltage();
    RCC_CR |= RCC_CR_HSE_BYPASS;
    RCC_CR |= RCC_CR_HSE_ON;
    const bool has_crystal = wait_until(RCC_BASE, RCC_CR_HSE_READY, RCC_CR_HSE_READY);
    if (!has_crystal) {
        RCC_CR &= ~RCC_CR_HSE_ON;
        errors_record(ERROR_NO_CRYSTAL);
    }
    configure_plls(has_crystal, core_hz);
    if (core_hz > HSI_HZ && start_pll()) {
        clocks = (clocks_t){core_hz, core_hz / 4, core_hz / 4, core_hz / 4, core_hz / 2};
    } else {
        errors_record(ERROR_NO_PLL);
    }
}

static bool start_pll3(void) {
    RCC_CR |= RCC_CR_PLL3_ON;
    return wait_until(RCC_BASE, RCC_CR_PLL3_READY, RCC_CR_PLL3_READY);
}

/* Sections 6.8 (PWR_CR3: the supply of USB, which the board connects to 3.3 V) and 8.7 (RCC_D2CCIP2R,
 * RCC_AHB1ENR, RCC_AHB1LPENR). The clock of the ULPI, which has no pins here, must be off while the core
 * sleeps: otherwise it stops the controller. */
bool clocks_start_usb(void) {
    PWR_CR3 |= PWR_CR3_USB_DETECTOR;
    if ((RCC_CR & RCC_CR_HSE_READY) == 0 || !start_pll3() ||
        !wait_until(PWR_CR3_ADDRESS, PWR_CR3_USB_READY, PWR_CR3_USB_READY)) {
        return false;
    }
    RCC_D2CCIP2R = (RCC_D2CCIP2R & ~(3u << 20)) | 2u << 20; /* USBSEL: PLL3, output Q */
    RCC_AHB1ENR |= 1u << 27;                                /* USB2OTGHS */
    RCC_AHB1LPENR &= ~(1u << 28);                           /* USB2OTGHSULPI */
    (void)RCC_AHB1ENR;
    return true;
}

bool clocks_start_sound(void) {
    if (!start_pll3()) {
        return false;
    }
    RCC_D2CCIP1R = (RCC_D2CCIP1R & ~(7u << 12)) | 2u << 12; /* SPI1 to 3: PLL3, output P */
    return true;
}
