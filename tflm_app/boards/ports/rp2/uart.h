/* A UART with a ring behind its receiver; nothing waits.
 *
 * The interrupt moves what came to the ring when 16 bytes wait, and uart_read before it looks there. State:
 * the ring of 256 bytes (80 ms of MIDI) and 16 bytes.
 */
#ifndef UART_H
#define UART_H

#include <stddef.h>
#include <stdint.h>

#define UART_RING_BYTES 256u /* a power of two */

typedef struct {
    uint32_t base;
    volatile uint32_t n_received, n_taken; /* since the start; places modulo UART_RING_BYTES */
    volatile uint32_t n_lost; /* for want of room; the hardware's own overruns count as one each */
    uint8_t ring[UART_RING_BYTES];
} uart_t;

/* Starts one at `baud`, 8 bits, no parity; its interrupt `irq` shall call uart_receive. */
void uart_start(uart_t *uart, uint32_t base, uint32_t irq, uint32_t baud);

/* Moves what came to the ring. */
void uart_receive(uart_t *uart);

/* Takes up to `capacity` bytes; returns how many. */
size_t uart_read(uart_t *uart, uint8_t *bytes, size_t capacity);

/* Sends as much as the transmitter's FIFO (32 bytes) has room for; returns how many bytes. */
size_t uart_write(uart_t *uart, const char *text, size_t n_bytes);

#endif
