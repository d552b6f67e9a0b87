/* Starts the clocks and USB of an STM32 board on the host; the registers are in memory. Prints the content of
 * those that USB needs, as lines of a name and a number, and how often the registers were read.
 *
 *     usb_start MISSING
 *
 * The simulated hardware: clocks and supplies are ready as soon as they are on, clock switches take effect at
 * once, and the controller is idle and a device. MISSING is what does not come: "crystal", "supply", "core"
 * (its registers read as zeros, as in QEMU), "nothing".
 */
#include "boards/ports/stm32/usb.c"

#include <stdio.h>
#include <string.h>

#include "../fake_registers.h"

static uint32_t controller[0x1000 / 4];
static const char *missing;
static unsigned long n_reads;

static void behave(uintptr_t address, uint32_t *value) {
    if (address == RCC_BASE) {
        const uint32_t crystal = strcmp(missing, "crystal") == 0 ? 0 : RCC_CR_HSE_ON;
        *value |= (*value & (crystal | 1u << 24 | 1u << 28)) << 1;
    } else if (address == RCC_CFGR_ADDRESS) {
#ifdef PWR_CR3
        *value = (*value & ~(7u << 3)) | (*value & 7u) << 3;
    } else if (address == PWR_CSR1_ADDRESS || address == PWR_D3CR_ADDRESS) {
        *value |= PWR_READY;
    } else if (address == PWR_CR3_ADDRESS) {
        const bool is_on = (*value & PWR_CR3_USB_DETECTOR) != 0 && strcmp(missing, "supply") != 0;
        *value |= is_on ? PWR_CR3_USB_READY : 0;
#else
        *value = (*value & ~(3u << 2)) | (*value & 3u) << 2;
#endif
    }
}

volatile uint32_t *fake_register(uintptr_t address) {
    uint32_t *const value = content(address);
    n_reads++;
    behave(address, value);
    return value;
}

uint32_t otg_read(uint32_t offset) {
    n_reads++;
    if (strcmp(missing, "core") == 0) {
        return 0;
    }
    return offset == OTG_GRSTCTL ? OTG_GRSTCTL_IDLE : offset == OTG_GINTSTS ? 0 : controller[offset / 4];
}

void otg_write(uint32_t offset, uint32_t value) {
    if (offset < sizeof controller) {
        controller[offset / 4] = value;
    }
}

usb_device_t board_usb;

void board_wake(void) {}

void errors_record(error_t error) { (void)error; }

#define PRINT(name) printf(#name " %lu\n", (unsigned long)(name))

int main(int argc, char **argv) {
    missing = argc > 1 ? argv[1] : "nothing";
#ifdef PWR_CR3
    DBGMCU_IDCODE = 0x2003u << 16; /* revision V */
    RCC_AHB1LPENR = ~0u;
#endif
    clocks_start();
    n_reads = 0;
    usb_start();
    PRINT(n_reads);
    PRINT(clocks.core_hz);
    PRINT(NVIC_ISER(CHIP_OTG_IRQ));
    PRINT(NVIC_IPR(CHIP_OTG_IRQ));
    PRINT(GPIO_MODER(0));
    PRINT(GPIO_AFR(0, 11));
    PRINT(RCC_PLLCFGR);
#ifdef PWR_CR3
    PRINT(RCC_PLLCKSELR);
    PRINT(RCC_PLL3DIVR);
    PRINT(RCC_CR);
    PRINT(RCC_D2CCIP2R);
    PRINT(RCC_AHB1ENR);
    PRINT(RCC_AHB1LPENR);
    PRINT(PWR_CR3);
#else
    PRINT(RCC_AHB2ENR);
#endif
    return 0;
}
