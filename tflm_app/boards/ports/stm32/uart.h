/* A USART with a ring buffer in each direction; no function blocks.
 *
 * The interrupt moves received bytes to one ring, and bytes that wait in the other one to the transmitter.
 * MIDI_DAMAGED replaces a byte with a line error, and marks where bytes were lost. State: 44 bytes and the
 * rings. Cost: an interrupt of about 60 cycles per byte.
 */
#ifndef UART_H
#define UART_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *bytes;
    uint32_t capacity;                   /* a power of two */
    volatile uint32_t n_written, n_read; /* counts since the start; indices are modulo the capacity */
} ring_t;

typedef struct {
    uintptr_t base;
    ring_t received, waiting;
    volatile uint32_t n_lost; /* received bytes dropped because the ring was full; an overrun counts as one */
    volatile uint32_t n_errors; /* received bytes with a framing or noise error, or in a break */
} uart_t;

/* Starts a USART with 8 bits and no parity. `clock_hz` is its input clock; the handler of interrupt `irq`
 * must call uart_interrupt. */
void uart_start(uart_t *uart, uint32_t irq, uint32_t clock_hz, uint32_t baud);

void uart_interrupt(uart_t *uart);

/* Puts a byte into the ring as if it had been received; for the self-test. */
void uart_inject(uart_t *uart, uint8_t byte);

/* Reads up to `capacity` received bytes; returns their number. */
size_t uart_read(uart_t *uart, void *bytes, size_t capacity);

/* Queues as many bytes as fit; returns their number. */
size_t uart_write(uart_t *uart, const void *bytes, size_t n_bytes);

#endif
