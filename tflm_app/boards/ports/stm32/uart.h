/* A USART between two rings; nothing waits.
 *
 * The interrupt moves what comes to one ring, and what waits in the other to the transmitter. State: 36 bytes
 * and the rings. Cost: an interrupt of some 60 cycles a byte.
 */
#ifndef UART_H
#define UART_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *bytes;
    uint32_t capacity;                   /* a power of two */
    volatile uint32_t n_written, n_read; /* since the start; places modulo the capacity */
} ring_t;

typedef struct {
    uintptr_t base;
    ring_t received, waiting;
    volatile uint32_t n_lost; /* bytes that came and found no room; overruns of the hardware count as one */
} uart_t;

/* Starts one, 8 bits, no parity: `clock_hz` is what it divides, `irq` calls uart_interrupt. */
void uart_start(uart_t *uart, uint32_t irq, uint32_t clock_hz, uint32_t baud);

void uart_interrupt(uart_t *uart);

/* Takes up to `capacity` bytes that came; returns how many. */
size_t uart_read(uart_t *uart, void *bytes, size_t capacity);

/* Sends as much as there is room for; returns how many bytes. */
size_t uart_write(uart_t *uart, const void *bytes, size_t n_bytes);

#endif
