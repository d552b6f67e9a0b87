/* A ring of bytes between an interrupt and the main loop of one core, one of which only puts and the other
 * only takes. It never blocks and needs no lock: each side writes its own count, after the bytes.
 */
#ifndef USB_RING_H
#define USB_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USB_RING_BYTES 128u /* a power of two */

typedef struct {
    volatile uint32_t n_put, n_taken; /* counts; indices are modulo USB_RING_BYTES */
    uint8_t bytes[USB_RING_BYTES];
} usb_ring_t;

static inline size_t usb_ring_free(const usb_ring_t *ring) {
    return USB_RING_BYTES - (ring->n_put - ring->n_taken);
}

/* Puts all of the bytes into the ring, or none of them; returns whether there was space. */
static inline bool usb_ring_put(usb_ring_t *ring, const uint8_t *bytes, size_t n_bytes) {
    if (usb_ring_free(ring) < n_bytes) {
        return false;
    }
    for (size_t i = 0; i < n_bytes; i++) {
        ring->bytes[(ring->n_put + i) % USB_RING_BYTES] = bytes[i];
    }
    atomic_signal_fence(memory_order_release);
    ring->n_put += (uint32_t)n_bytes;
    return true;
}

/* Takes up to `capacity` bytes; returns their number. */
static inline size_t usb_ring_take(usb_ring_t *ring, uint8_t *bytes, size_t capacity) {
    const size_t n_waiting = ring->n_put - ring->n_taken;
    const size_t n_bytes = n_waiting < capacity ? n_waiting : capacity;
    atomic_signal_fence(memory_order_acquire);
    for (size_t i = 0; i < n_bytes; i++) {
        bytes[i] = ring->bytes[(ring->n_taken + i) % USB_RING_BYTES];
    }
    atomic_signal_fence(memory_order_release);
    ring->n_taken += (uint32_t)n_bytes;
    return n_bytes;
}

/* Drops what waits; only the side that takes may call it. */
static inline void usb_ring_clear(usb_ring_t *ring) { ring->n_taken = ring->n_put; }

#endif
