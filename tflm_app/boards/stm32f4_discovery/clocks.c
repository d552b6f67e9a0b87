/* 168 MHz from the crystal of 8 MHz, or else from the internal oscillator of 16 MHz, which is accurate to 1
 * %, or else that oscillator without the PLL. Source: RM0090 sections 3.5.1 (flash), 7.2 and 7.3 (clocks);
 * ES0182 (revision A).
 */
#include "chip.h"
#include "stm32.h"

#define HSI_HZ 16000000u
#define CORE_HZ 168000000u
#define PLL_SOURCE_HSE (1u << 22)
_Static_assert(CORE_HZ / 2 % 16000u == 0 && HSI_HZ % 16000u == 0, "TIM2 counts whole samples");

/* The input of both PLLs is 1.6 MHz (1 to 2 MHz are allowed), because all required clocks are exact multiples
 * of it: the core clock, and with it that of the timer that triggers the input, and the clocks of I2S at 16
 * and at 48 kHz. Main PLL: 1.6 MHz * 210 / 2, and / 7 for USB, which is 48 MHz. */
#define PLL_CONFIG(input_divider) ((input_divider) | 210u << 6 | 0u << 16 | 7u << 24)
#define BUS_DIVIDERS (5u << 10 | 4u << 13) /* APB1: 42 MHz, APB2: 84 MHz */
#define FLASH_WAITS (5u | FLASH_ACR_CACHES)
#define FLASH_PREFETCH (1u << 8)
#define SELECT_PLL 2u

/* I2S: N and R of its PLL; its own divider is in chip.h. */
#define PLLI2S_CONFIG (CHIP_I2S_PLL_N << 6 | CHIP_I2S_PLL_R << 28)

clocks_t clocks = {HSI_HZ, HSI_HZ, HSI_HZ, HSI_HZ, HSI_HZ};

/* The first silicon, which identifies itself as an STM32F2, cannot prefetch. */
static bool is_revision_a(void) {
    return DBGMCU_IDCODE >> 16 == 0x1000u || (DBGMCU_IDCODE & 0xFFFu) == 0x411u;
}

static bool start_pll(bool has_crystal) {
    RCC_PLLCFGR = has_crystal ? PLL_CONFIG(5u) | PLL_SOURCE_HSE : PLL_CONFIG(10u);
    RCC_CR |= RCC_CR_PLL_ON;
    if (!wait_until(RCC_BASE, RCC_CR_PLL_READY, RCC_CR_PLL_READY)) {
        RCC_CR &= ~RCC_CR_PLL_ON;
        return false;
    }
    FLASH_ACR = FLASH_WAITS | (is_revision_a() ? 0u : FLASH_PREFETCH);
    (void)FLASH_ACR; /* waits until the wait states are set */
    RCC_CFGR = BUS_DIVIDERS;
    RCC_CFGR = BUS_DIVIDERS | SELECT_PLL;
    return wait_until(RCC_CFGR_ADDRESS, 3u << 2, SELECT_PLL << 2);
}

void clocks_start(void) {
    RCC_AHB1ENR |= 0xFu | 3u << 21;                     /* GPIOA to D, DMA1 and 2 */
    RCC_APB1ENR |= 1u | 1u << 15 | 3u << 17 | 1u << 21; /* TIM2, SPI3, USART2 and 3, I2C1 */
    RCC_APB2ENR |= 1u << 5 | 1u << 8;                   /* USART6, ADC1 */
    if (RCC_CSR & RCC_CSR_WATCHDOG) {
        errors_record(ERROR_WATCHDOG);
    }
    RCC_CSR |= RCC_CSR_REMOVE_FLAGS;

    RCC_CR |= RCC_CR_HSE_ON;
    const bool has_crystal = wait_until(RCC_BASE, RCC_CR_HSE_READY, RCC_CR_HSE_READY);
    if (!has_crystal) {
        RCC_CR &= ~RCC_CR_HSE_ON;
        errors_record(ERROR_NO_CRYSTAL);
    }
    if (start_pll(has_crystal)) {
        clocks = (clocks_t){CORE_HZ, CORE_HZ / 4, CORE_HZ / 2, CORE_HZ / 4, CORE_HZ / 2};
    } else {
        errors_record(ERROR_NO_PLL);
    }
}

/* The caches can only be emptied while they are off. */
void chip_empty_caches(void) {
    const uint32_t acr = FLASH_ACR, off = acr & ~FLASH_ACR_CACHES;
    FLASH_ACR = off;
    FLASH_ACR = off | FLASH_ACR_CACHE_RESETS;
    FLASH_ACR = off;
    FLASH_ACR = acr;
    (void)FLASH_ACR;
}

bool clocks_start_usb(void) {
    RCC_AHB2ENR |= 1u << 7; /* OTGFS */
    (void)RCC_AHB2ENR;
    return clocks.core_hz == CORE_HZ && (RCC_PLLCFGR & PLL_SOURCE_HSE) != 0;
}

bool clocks_start_sound(void) {
    RCC_PLLI2SCFGR = PLLI2S_CONFIG;
    RCC_CR |= RCC_CR_PLLI2S_ON;
    return wait_until(RCC_BASE, RCC_CR_PLLI2S_READY, RCC_CR_PLLI2S_READY);
}
