/* Runs the code of an STM32 board's USARTs on the host; their registers are in
 * memory.
 *
 *     uart SCRIPT RECEIVED
 *
 * SCRIPT: pairs of bytes, the flags that a USART sets in its status register
 * and the byte that it has received; after each pair, the interrupt is handled.
 * Flags of zero stand for the main loop, which reads what has arrived and
 * writes it to RECEIVED. Prints how many bytes were lost, and how many had a
 * line error.
 *
 * The simulated hardware: reading the data clears the flags of the F407. Those
 * of the H743 stay, except that of the received byte, until they are cleared by
 * USART_ICR.
 */
#include <stdio.h>

#include "board.h"
#include "board_files.h"
#include "chip.h"
#include "stm32.h"

#define HAS_BYTE (1u << 5)
#define CLEARED 0x20u /* USART_ICR of the H743 */

static volatile uint32_t status, data, cleared, others;

volatile uint32_t *fake_register(uintptr_t address) {
    const uint32_t offset = (uint32_t)address - CHIP_MIDI_USART;
    if (offset == CHIP_USART_STATUS) {
        status &= ~cleared;
        cleared = 0;
        return &status;
    }
    return offset == CHIP_USART_RECEIVED ? &data : offset == CLEARED ? &cleared : &others;
}

static void receive(uart_t *uart, const uint8_t arrived[2]) {
    status = CHIP_USART_RECEIVED == 0x24u ? (status & ~cleared & ~HAS_BYTE) | arrived[0] : arrived[0];
    cleared = 0;
    data = arrived[1];
    uart_interrupt(uart);
}

int main(int argc, char **argv) {
    static uint8_t ring[8];
    uart_t uart = {.base = CHIP_MIDI_USART, .received = {ring, sizeof ring, 0, 0}};
    if (argc < 3) {
        return 2;
    }
    const int script = board_open_read(argv[1]), received = board_open_write(argv[2]);
    uint8_t step[2];
    while (board_read(script, step, sizeof step) == sizeof step) {
        if (step[0] == 0) {
            uint8_t bytes[sizeof ring];
            board_write(received, bytes, uart_read(&uart, bytes, sizeof bytes));
        } else {
            receive(&uart, step);
        }
    }
    printf("%u %u\n", (unsigned)uart.n_lost, (unsigned)uart.n_errors);
    return board_close(received);
}
