/* What otg_model.c works on: the endpoints of the controller with their registers, the FIFOs that their
 * packets pass through, and the registers that only keep what is written.
 */
#ifndef OTG_CORE_H
#define OTG_CORE_H

#include <stdlib.h>

#include "bus.h"
#include "otg.h"

#define N_NUMBERS 4u

#define NAKS (1u << 17) /* NAKSTS of DIEPCTL and DOEPCTL: the state that CNAK and SNAK set */
#define XFRC 1u         /* of DIEPINT and DOEPINT */
#define PACKET_COUNT(size) ((size) >> 19 & 0x3FFu)
#define TRANSFER_BYTES(size) ((size)&0x7Fu)

typedef struct {
    uint32_t control, interrupts, size;
    uint8_t toggle;
    uint32_t fifo[USB_PACKET_BYTES / 4], n_words;
} endpoint_t;

extern endpoint_t core_ins[N_NUMBERS], core_outs[N_NUMBERS];
extern uint32_t core_registers[0x1000 / 4];

static inline void check(bool is_true) {
    if (!is_true) {
        abort();
    }
}

static inline uint32_t *core_at(uint32_t offset) { return &core_registers[offset / 4]; }

static inline size_t core_words(size_t n_bytes) { return (n_bytes + 3) / 4; }

void core_reset(void);

/* Lets the time of an access to a register pass: the end of a transfer comes nearer. */
void core_count_access(void);

/* Returns whether the receive FIFO has room for n_words. */
bool core_has_room(size_t n_words);

/* Returns whether the receive FIFO has an entry. */
bool core_has_received(void);

/* Appends an entry to the receive FIFO; returns whether there was room. */
bool core_push(uint32_t kind, uint32_t number, const uint8_t *bytes, size_t n_bytes);

/* Takes the next entry out of the receive FIFO (GRXSTSP), and then the words of its packet. */
uint32_t core_pop(void);
uint32_t core_take_word(void);

/* Writes a word to the transmit FIFO of an IN endpoint, or empties that FIFO. */
void core_fill(uint32_t number, uint32_t word);
void core_flush(uint32_t number);

/* Checks that the FIFOs lie one after the other in the memory of the controller. */
void core_check_fifos(void);

/* Returns whether an offset is that of a register of an endpoint. */
bool core_is_endpoint(uint32_t offset);
uint32_t core_read_endpoint(uint32_t offset);
void core_write_endpoint(uint32_t offset, uint32_t value);

/* Returns whether an endpoint answers at all. */
bool core_is_active(const endpoint_t *endpoint);

#endif
