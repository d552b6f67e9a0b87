/* The clocks, I2S, ADC and sound input of an STM32 board, on the host: their code, and registers that are
 * memory.
 *
 *     input BLOCKS OUT
 *
 * Starts them as the board does, and prints what they left in their registers, as lines of a name and a
 * number. Then BLOCKS, records of a uint32, how many blocks of samples the DMA brings before the next block
 * of output is rendered, and as many times 64 uint16; OUT gets, for every record, a uint32, what
 * board_audio_get returned, one that board_audio_lost did, and 64 int16. An input that stands still begins
 * again with the next half of the output, and with the first half of its buffer; both are counted.
 *
 * What hardware does here: PLLs and oscillators are ready as soon as they are on, switches have switched, and
 * the H743's ADC has calibrated itself when it is looked at, and forgets four times that it was turned on.
 */
#include "boards/ports/stm32/input.c"

#include <stdio.h>
#include <stdlib.h>

#include "board.h"

#define N_REGISTERS 256

static uintptr_t addresses[N_REGISTERS];
static uint32_t values[N_REGISTERS];
static uint32_t n_told;

static void behave(uintptr_t address, uint32_t *value) {
#ifdef ADC3_BASE /* the H743 */
    static uint32_t n_forgets = 4;
    static bool is_on;
    if (address == RCC_CFGR_ADDRESS) {
        *value = (*value & ~(7u << 3)) | (*value & 7u) << 3;
    } else if (address == PWR_CSR1_ADDRESS || address == PWR_D3CR_ADDRESS) {
        *value |= PWR_READY;
    } else if (address == ADC_CR(ADC3_BASE)) {
        *value &= ~(1u << 31); /* ADCAL */
        if ((*value & 1u) != 0 && n_forgets > 0) {
            *value &= ~1u; /* ADEN */
            n_forgets--;
        }
        is_on = (*value & 1u) != 0;
    } else if (address == ADC_ISR(ADC3_BASE)) {
        *value = (*value & ~1u) | (is_on ? 1u : 0u); /* ADRDY */
    }
#else
    if (address == RCC_CFGR_ADDRESS) {
        *value = (*value & ~(3u << 2)) | (*value & 3u) << 2;
    }
#endif
    if (address == RCC_BASE) {
        *value |= (*value & (1u << 16 | 1u << 24 | 1u << 26 | 1u << 28)) << 1;
    }
}

volatile uint32_t *fake_register(uintptr_t address) {
    size_t i = 0;
    while (addresses[i] != 0 && addresses[i] != address) {
        if (++i == N_REGISTERS) {
            abort();
        }
    }
    addresses[i] = address;
    behave(address, &values[i]);
    return &values[i];
}

void errors_keep(error_t error) { printf("error %d\n", (int)error); }

void errors_tell(error_t error) {
    (void)error;
    n_told++;
}

#define TELL(name) printf(#name " %lu\n", (unsigned long)(name))
#define TELL_AFTER(name) printf("after." #name " %lu\n", (unsigned long)(name))

static void start(void) {
#ifdef ADC3_BASE
    DBGMCU_IDCODE = 0x2003u << 16; /* revision V */
#endif
    clocks_start();
    if (!clocks_start_sound()) {
        puts("error 3");
    }
    i2s_start();
    input_start();
    TELL(clocks.core_hz);
    TELL(clocks.timer_hz);
    TELL(TIM2_CR1); /* it waits for the output */
    input_step();
    TELL(TIM2_ARR);
    TELL(TIM2_CNT);
    input_step(); /* begins once */
    TELL(SPI3_I2SCFGR);
    TELL(DMA2_S0CR);
    TELL(DMA2_S0NDTR);
    TELL(DMA2_S0PAR);
    TELL(NVIC_ISER(IRQ_DMA2_STREAM0));
    TELL(NVIC_IPR(IRQ_DMA2_STREAM0));
#ifdef ADC3_BASE
    TELL(RCC_PLLCKSELR);
    TELL(RCC_PLL1DIVR);
    TELL(RCC_PLL3DIVR);
    TELL(RCC_PLLCFGR);
    TELL(DMAMUX1_C8CR);
    TELL(ADC_CFGR(ADC3_BASE));
    TELL(ADC_CFGR2(ADC3_BASE));
    TELL(ADC_SQR1(ADC3_BASE));
    TELL(ADC_SMPR1(ADC3_BASE));
    TELL(REGISTER(ADC_CR(ADC3_BASE)));
#else
    TELL(RCC_PLLCFGR);
    TELL(RCC_PLLI2SCFGR);
    TELL(SPI3_I2SPR);
    TELL(ADC1_CR2);
    TELL(ADC1_SQR3);
    TELL(ADC1_SMPR2);
    TELL(ADC_CCR);
#endif
}

int main(int argc, char **argv) {
    if (argc < 3) {
        return 2;
    }
    start();
    const int in = board_open_read(argv[1]), out = board_open_write(argv[2]);
    uint32_t n_blocks, half = 0, n_restarts = 0;
#ifndef ADC3_BASE
    ADC1_SR = 1u << 5; /* an overrun */
#endif
    while (board_read(in, &n_blocks, sizeof n_blocks) == sizeof n_blocks) {
        for (; n_blocks > 0; n_blocks--, half = 1 - half) {
            board_read(in, input_halves[half], sizeof input_halves[half]);
            DMA2_LISR = half == 0 ? DMA_STREAM0_HALF : DMA_STREAM0_COMPLETE;
            input_interrupt();
        }
        int16_t samples[BOARD_INPUT_SAMPLES];
        const uint32_t told[] = {board_audio_get(samples), board_audio_lost()};
        board_write(out, told, sizeof told);
        board_write(out, samples, sizeof samples);
        if (TIM2_CR1 == 0) {
            input_step();
            half = 0;
            n_restarts++;
        }
    }
    TELL(n_told);
    TELL(n_restarts);
    TELL_AFTER(TIM2_CR1);
    TELL_AFTER(TIM2_CNT);
    TELL_AFTER(DMA2_S0CR);
#ifndef ADC3_BASE
    TELL_AFTER(ADC1_SR);
    TELL_AFTER(ADC1_CR2);
#endif
    return 0;
}
