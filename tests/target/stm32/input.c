/* Runs the clocks, I2S, ADC and sound input of an STM32 board on the host; their registers are in memory.
 *
 *     input BLOCKS OUT
 *
 * Starts them like the board does and prints the content of their registers, as lines of a name and a number.
 * BLOCKS holds records: a uint32, the number of blocks of samples that the DMA delivers before the next block
 * of output is rendered, and as many times 192 uint16. OUT receives for each record two uint32, the results
 * of board_audio_get and board_audio_lost, and 64 int16. An input that has stopped restarts with the next
 * half of the output and the first half of its buffer; restarts are counted.
 *
 * The simulated hardware: PLLs and oscillators are ready as soon as they are on, clock switches take effect
 * at once, and the ADC of the H743 is calibrated at the first read and ignores the request to turn on four
 * times.
 */
#include "boards/ports/stm32/input.c"

#include <stdio.h>
#include <stdlib.h>

#include "../fake_registers.h"
#include "board.h"
#include "board_files.h"

static uint32_t n_reported;

static void behave(uintptr_t address, uint32_t *value) {
#ifdef ADC3_BASE /* the H743 */
    static uint32_t n_ignored = 4;
    static bool is_on;
    if (address == RCC_CFGR_ADDRESS) {
        *value = (*value & ~(7u << 3)) | (*value & 7u) << 3;
    } else if (address == PWR_CSR1_ADDRESS || address == PWR_D3CR_ADDRESS) {
        *value |= PWR_READY;
    } else if (address == ADC_CR(ADC3_BASE)) {
        *value &= ~(1u << 31); /* ADCAL */
        if ((*value & 1u) != 0 && n_ignored > 0) {
            *value &= ~1u; /* ADEN */
            n_ignored--;
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
    uint32_t *const value = content(address);
    behave(address, value);
    return value;
}

void errors_record(error_t error) { printf("error %d\n", (int)error); }

void errors_report(error_t error) {
    (void)error;
    n_reported++;
}

#define PRINT(name) printf(#name " %lu\n", (unsigned long)(name))
#define PRINT_AFTER(name) printf("after." #name " %lu\n", (unsigned long)(name))

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
    PRINT(clocks.core_hz);
    PRINT(clocks.timer_hz);
    PRINT(TIM2_CR1); /* 0: the input waits for the output */
    input_step();
    PRINT(TIM2_ARR);
    PRINT(TIM2_CNT);
    input_step(); /* has no effect: the input has started */
    PRINT(SPI3_I2SCFGR);
    PRINT(DMA2_S0CR);
    PRINT(DMA2_S0NDTR);
    PRINT(DMA2_S0PAR);
    PRINT(NVIC_ISER(IRQ_DMA2_STREAM0));
    PRINT(NVIC_IPR(IRQ_DMA2_STREAM0));
#ifdef ADC3_BASE
    PRINT(RCC_PLLCKSELR);
    PRINT(RCC_PLL1DIVR);
    PRINT(RCC_PLL3DIVR);
    PRINT(RCC_PLLCFGR);
    PRINT(DMAMUX1_C8CR);
    PRINT(ADC_CFGR(ADC3_BASE));
    PRINT(ADC_CFGR2(ADC3_BASE));
    PRINT(ADC_SQR1(ADC3_BASE));
    PRINT(ADC_SMPR1(ADC3_BASE));
    PRINT(REGISTER(ADC_CR(ADC3_BASE)));
#else
    PRINT(RCC_PLLCFGR);
    PRINT(RCC_PLLI2SCFGR);
    PRINT(SPI3_I2SPR);
    PRINT(ADC1_CR2);
    PRINT(ADC1_SQR3);
    PRINT(ADC1_SMPR2);
    PRINT(ADC_CCR);
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
        const uint32_t results[] = {board_audio_get(samples), board_audio_lost()};
        board_write(out, results, sizeof results);
        board_write(out, samples, sizeof samples);
        if (TIM2_CR1 == 0) {
            input_step();
            half = 0;
            n_restarts++;
        }
    }
    PRINT(n_reported);
    PRINT(n_restarts);
    PRINT_AFTER(TIM2_CR1);
    PRINT_AFTER(TIM2_CNT);
    PRINT_AFTER(DMA2_S0CR);
#ifndef ADC3_BASE
    PRINT_AFTER(ADC1_SR);
    PRINT_AFTER(ADC1_CR2);
#endif
    return 0;
}
