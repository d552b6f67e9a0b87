/* Source: RM0090 section 30, RM0433 section 48. The bits that are used here have the same names and positions
 * in both chips; chip.h has the offsets of the registers. */
#include "uart.h"

#include "chip.h"
#include "midi/midi_parser.h"

#define UART_PRIORITY 2

enum {                          /* USART_SR, USART_ISR */
       FRAMING_ERROR = 1u << 1, /* also in a break */
       NOISE = 1u << 2,
       OVERRUN = 1u << 3,
       HAS_BYTE = 1u << 5,
       HAS_ROOM = 1u << 7,
};
enum { /* USART_CR1 */
       RECEIVER = 1u << 2,
       TRANSMITTER = 1u << 3,
       BYTE_INTERRUPT = 1u << 5,
       ROOM_INTERRUPT = 1u << 7,
};

static uint32_t used(const ring_t *ring) { return ring->n_written - ring->n_read; }

static volatile uint32_t *of(const uart_t *uart, uint32_t offset) { return &REGISTER(uart->base + offset); }

static void send_waiting(uart_t *uart) {
    ring_t *const ring = &uart->waiting;
    while (used(ring) > 0 && (*of(uart, CHIP_USART_STATUS) & HAS_ROOM) != 0) {
        *of(uart, CHIP_USART_SEND) = ring->bytes[ring->n_read % ring->capacity];
        ring->n_read++;
    }
}

static void set_room_interrupt(uart_t *uart) {
    const uint32_t others = *of(uart, CHIP_USART_CR1) & ~(uint32_t)ROOM_INTERRUPT;
    *of(uart, CHIP_USART_CR1) = others | (used(&uart->waiting) > 0 ? ROOM_INTERRUPT : 0);
}

void uart_start(uart_t *uart, uint32_t irq, uint32_t clock_hz, uint32_t baud) {
    *of(uart, CHIP_USART_BRR) = (clock_hz + baud / 2) / baud; /* oversampled by 16 */
    *of(uart, CHIP_USART_CR1) =
        CHIP_USART_ENABLE | TRANSMITTER | (uart->received.capacity > 0 ? RECEIVER | BYTE_INTERRUPT : 0);
    interrupt_enable(irq, UART_PRIORITY);
}

/* Puts a byte into the ring. The last free place marks that this byte and those after it are lost. */
static void put_received(uart_t *uart, uint8_t byte) {
    ring_t *const ring = &uart->received;
    const uint32_t n_free = ring->capacity - used(ring);
    if (n_free > 0) {
        ring->bytes[ring->n_written % ring->capacity] = n_free > 1 ? byte : MIDI_DAMAGED;
        ring->n_written++;
    }
    uart->n_lost += n_free <= 1;
}

void uart_interrupt(uart_t *uart) {
    const uint32_t status = *of(uart, CHIP_USART_STATUS);
    const bool is_damaged = (status & (FRAMING_ERROR | NOISE)) != 0;
    if (status & (HAS_BYTE | OVERRUN)) {
        const uint8_t byte = (uint8_t)*of(uart, CHIP_USART_RECEIVED);
        if (status & HAS_BYTE) {
            put_received(uart, is_damaged ? MIDI_DAMAGED : byte);
            uart->n_errors += is_damaged;
        }
        if (status & OVERRUN) { /* the next byte is lost */
            put_received(uart, MIDI_DAMAGED);
            uart->n_lost++;
        }
        CHIP_USART_CLEAR_ERRORS(uart->base, status & (FRAMING_ERROR | NOISE | OVERRUN));
    }
    send_waiting(uart);
    set_room_interrupt(uart);
}

void uart_inject(uart_t *uart, uint8_t byte) {
    interrupts_mask();
    put_received(uart, byte);
    interrupts_unmask();
}

size_t uart_read(uart_t *uart, void *bytes, size_t capacity) {
    ring_t *const ring = &uart->received;
    size_t n = 0;
    while (n < capacity && used(ring) > 0) {
        ((uint8_t *)bytes)[n++] = ring->bytes[ring->n_read % ring->capacity];
        ring->n_read++;
    }
    return n;
}

size_t uart_write(uart_t *uart, const void *bytes, size_t n_bytes) {
    ring_t *const ring = &uart->waiting;
    /* Interrupts are masked for a few hundred cycles, because the handler also uses the rings. */
    interrupts_mask();
    size_t n = 0;
    send_waiting(uart);
    while (n < n_bytes && used(ring) < ring->capacity) {
        ring->bytes[ring->n_written % ring->capacity] = ((const uint8_t *)bytes)[n++];
        ring->n_written++;
    }
    send_waiting(uart); /* immediately if the transmitter is idle */
    set_room_interrupt(uart);
    interrupts_unmask();
    return n;
}
