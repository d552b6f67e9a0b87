/* A UART with a ring buffer for received bytes; no function blocks.
 *
 * Bytes move from the FIFO of the receiver to the ring in the interrupt, when 16 bytes wait, and in
 * uart_read. MIDI_DAMAGED replaces a byte with a line error, and marks where bytes were lost. State: the
 * ring of 256 bytes (80 ms of MIDI) and 20 bytes.
 */
#ifndef UART_H
#define UART_H

#include <stddef.h>
#include <stdint.h>

#define UART_RING_BYTES 256u /* a power of two */

typedef struct {
    uint32_t base;
    volatile uint32_t n_received, n_taken; /* counts; ring indices modulo UART_RING_BYTES */
    volatile uint32_t n_lost;   /* bytes dropped because the ring was full; a FIFO overrun counts as one */
    volatile uint32_t n_errors; /* bytes with a framing error or in a break */
    uint8_t ring[UART_RING_BYTES];
} uart_t;

/* Starts a UART at `baud`, 8 bits, no parity; the handler of interrupt `irq` must call uart_receive. */
void uart_start(uart_t *uart, uint32_t base, uint32_t irq, uint32_t baud);

/* Moves the received bytes from the FIFO to the ring. */
void uart_receive(uart_t *uart);

/* Puts a byte into the ring as if it had been received; for the self-test. */
void uart_inject(uart_t *uart, uint8_t byte);

/* Reads up to `capacity` bytes from the ring; returns their number. */
size_t uart_read(uart_t *uart, uint8_t *bytes, size_t capacity);

/* Sends as many bytes as fit into the FIFO of the transmitter (32 bytes); returns their number. */
size_t uart_write(uart_t *uart, const char *text, size_t n_bytes);

#endif
