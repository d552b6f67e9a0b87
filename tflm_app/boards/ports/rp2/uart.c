/* Source: RP2040 datasheet, section 4.2; RP2350 datasheet, section 12.1. */
#include "uart.h"

#include <stdbool.h>

#include "clocks.h"
#include "midi/midi_parser.h"
#include "registers.h"

void uart_start(uart_t *uart, uint32_t base, uint32_t irq, uint32_t baud) {
    uart->base = base;
    /* The divider is clk_peri / (16 baud) in 64ths: for MIDI exactly 250 at 125 MHz and 300 at 150 MHz. */
    const uint32_t divider = (clocks_core_hz() * 4u + baud / 2u) / baud;
    REGISTER(base + UART_IBRD) = divider / 64u;
    REGISTER(base + UART_FBRD) = divider % 64u;
    REGISTER(base + UART_LCR_H) = UART_LCR_H_8_BITS_FIFO; /* also makes the divider take effect */
    REGISTER(base + UART_IMSC) = UART_INTERRUPT_RX;       /* at 16 of 32 bytes, the reset value of IFLS */
    REGISTER(base + UART_CR) = UART_CR_ENABLE_RX_TX;
    REGISTER(NVIC_ISER(irq)) = 1u << irq % 32u;
}

/* Puts a byte into the ring. The last free place marks that this byte and those after it are lost. */
static void put(uart_t *uart, uint8_t byte) {
    const uint32_t n_free = UART_RING_BYTES - (uart->n_received - uart->n_taken);
    if (n_free > 0) {
        uart->ring[uart->n_received % UART_RING_BYTES] = n_free > 1 ? byte : MIDI_DAMAGED;
        uart->n_received++;
    }
    uart->n_lost += n_free <= 1;
}

void uart_receive(uart_t *uart) {
    bool has_overrun = false;
    while ((REGISTER(uart->base + UART_FR) & UART_FR_RXFE) == 0) {
        const uint32_t data = REGISTER(uart->base + UART_DR);
        const bool is_damaged = (data & UART_DR_LINE_ERRORS) != 0;
        put(uart, is_damaged ? MIDI_DAMAGED : (uint8_t)data);
        uart->n_errors += is_damaged;
        has_overrun |= (data & UART_DR_OVERRUN) != 0;
    }
    if (has_overrun) { /* what is lost came after what was in the FIFO */
        put(uart, MIDI_DAMAGED);
        uart->n_lost++;
    }
}

void uart_inject(uart_t *uart, uint8_t byte) {
    __asm__ volatile("cpsid i" ::: "memory");
    put(uart, byte);
    __asm__ volatile("cpsie i" ::: "memory");
}

size_t uart_read(uart_t *uart, uint8_t *bytes, size_t capacity) {
    __asm__ volatile("cpsid i" ::: "memory"); /* the interrupt also calls uart_receive */
    uart_receive(uart);
    __asm__ volatile("cpsie i" ::: "memory");
    size_t n = 0;
    while (n < capacity && uart->n_taken != uart->n_received) {
        bytes[n++] = uart->ring[uart->n_taken % UART_RING_BYTES];
        uart->n_taken++;
    }
    return n;
}

size_t uart_write(uart_t *uart, const char *text, size_t n_bytes) {
    size_t n = 0;
    while (n < n_bytes && (REGISTER(uart->base + UART_FR) & UART_FR_TXFF) == 0) {
        REGISTER(uart->base + UART_DR) = (uint8_t)text[n++];
    }
    return n;
}
