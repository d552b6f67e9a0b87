#include "otg_core.h"

#include <string.h>

#define N_ENTRIES 64u

/* Bits of DIEPCTL and DOEPCTL that are kept as they are written. */
#define KEPT (0x7FFu | OTG_EPCTL_ACTIVE | 3u << OTG_EPCTL_TYPE | OTG_EPCTL_STALL | 15u << OTG_DIEPCTL_FIFO)
#define STUP (1u << 3) /* of DOEPINT */

typedef struct {
    uint32_t status;
    uint8_t bytes[USB_PACKET_BYTES];
} entry_t;

endpoint_t core_ins[N_NUMBERS], core_outs[N_NUMBERS];
uint32_t core_registers[0x1000 / 4];

static entry_t entries[N_ENTRIES]; /* of the receive FIFO */
static size_t n_entries;
static uint8_t unread[USB_PACKET_BYTES]; /* of the packet whose entry was taken */
static size_t n_unread, n_taken;         /* words */

/* What the core does some accesses after an entry was taken. Section 34.16.4 (DOEPCTL): it clears EPENA
 * before it sets the flag, and so promises nothing sooner. */
static endpoint_t *ending;
static uint32_t ending_flag, n_until_end, n_ends;

void core_reset(void) {
    memset(core_ins, 0, sizeof core_ins);
    memset(core_outs, 0, sizeof core_outs);
    memset(core_registers, 0, sizeof core_registers);
    n_entries = n_unread = n_taken = 0;
    n_ends = 0;
    ending = NULL;
}

/* --- FIFOs -------------------------------------------------------------------------------------------- */

static size_t rx_words(void) {
    size_t n = 0;
    for (size_t i = 0; i < n_entries; i++) {
        n += 1 + core_words(OTG_GRXSTSP_BYTES(entries[i].status));
    }
    return n;
}

bool core_has_room(size_t n_words) { return rx_words() + n_words <= *core_at(OTG_GRXFSIZ); }

bool core_has_received(void) { return n_entries > 0; }

bool core_push(uint32_t kind, uint32_t number, const uint8_t *bytes, size_t n_bytes) {
    if (!core_has_room(1 + core_words(n_bytes))) {
        return false;
    }
    check(n_entries < N_ENTRIES);
    entries[n_entries] = (entry_t){.status = number | (uint32_t)n_bytes << 4 | kind << 17};
    for (size_t i = 0; i < n_bytes; i++) {
        entries[n_entries].bytes[i] = bytes[i];
    }
    n_entries++;
    return true;
}

static void end_transfer(void) {
    if (ending != NULL) {
        ending->control &= ~OTG_EPCTL_ENABLE;
        ending->interrupts |= ending_flag;
        ending = NULL;
    }
}

void core_count_access(void) {
    if (ending != NULL && --n_until_end == 0) {
        end_transfer();
    }
}

static void end_later(endpoint_t *out, uint32_t flag) {
    ending = out;
    ending_flag = flag;
    n_until_end = 2u + 4u * (n_ends++ % 4u);
}

uint32_t core_pop(void) {
    check(n_entries > 0 && n_taken == core_words(n_unread));
    end_transfer();
    const entry_t entry = entries[0];
    memmove(entries, entries + 1, --n_entries * sizeof entries[0]);
    endpoint_t *const out = &core_outs[OTG_GRXSTSP_NUMBER(entry.status)];
    n_unread = OTG_GRXSTSP_BYTES(entry.status);
    n_taken = 0;
    memcpy(unread, entry.bytes, n_unread);
    if (OTG_GRXSTSP_KIND(entry.status) == OTG_OUT_DONE) {
        end_later(out, XFRC);
    } else if (OTG_GRXSTSP_KIND(entry.status) == OTG_SETUP_DONE) {
        end_later(out, STUP);
    }
    return entry.status;
}

uint32_t core_take_word(void) {
    check(n_taken < core_words(n_unread));
    uint32_t word = 0xEEEEEEEEu; /* what follows the last byte is undefined */
    const size_t start = 4 * n_taken++;
    memcpy(&word, unread + start, n_unread - start < 4 ? n_unread - start : 4);
    return word;
}

void core_fill(uint32_t number, uint32_t word) {
    check(number < N_NUMBERS);
    endpoint_t *const in = &core_ins[number];
    check((in->control & OTG_EPCTL_ENABLE) != 0 && 4 * in->n_words < TRANSFER_BYTES(in->size));
    check(in->n_words < *core_at(OTG_DIEPTXF(number)) >> 16);
    in->fifo[in->n_words++] = word;
}

void core_flush(uint32_t number) {
    check(number < N_NUMBERS && (core_ins[number].control & OTG_EPCTL_ENABLE) == 0);
    core_ins[number].n_words = 0;
}

void core_check_fifos(void) {
    uint32_t end = *core_at(OTG_GRXFSIZ);
    check(end >= 16);
    for (uint32_t number = 0; number < N_NUMBERS; number++) {
        const uint32_t place = *core_at(OTG_DIEPTXF(number));
        check((place & 0xFFFFu) >= end && place >> 16 >= 16);
        end = (place & 0xFFFFu) + (place >> 16);
    }
    check(end <= CHIP_OTG_FIFO_WORDS);
}

/* --- endpoints ---------------------------------------------------------------------------------------- */

bool core_is_endpoint(uint32_t offset) { return offset >= 0x900u && offset < 0xD00u; }

/* Returns the endpoint that an offset belongs to; sets the offset of its register. */
static endpoint_t *find(uint32_t offset, bool *is_in, uint32_t *number, uint32_t *place) {
    *is_in = offset < 0xB00u;
    *place = offset % 0x20u;
    *number = *is_in ? (offset - 0x900u) / 0x20u : (offset - 0xB00u) / 0x20u;
    check(*number < N_NUMBERS);
    return *is_in ? &core_ins[*number] : &core_outs[*number];
}

bool core_is_active(const endpoint_t *endpoint) {
    return endpoint == &core_ins[0] || endpoint == &core_outs[0] ||
           (endpoint->control & OTG_EPCTL_ACTIVE) != 0;
}

static void write_control(endpoint_t *endpoint, bool is_in, uint32_t number, uint32_t value) {
    const uint32_t before = endpoint->control;
    check((value & (OTG_EPCTL_NAK | OTG_EPCTL_ACCEPT)) != (OTG_EPCTL_NAK | OTG_EPCTL_ACCEPT));
    endpoint->control = (before & (NAKS | OTG_EPCTL_ENABLE)) | (value & KEPT);
    if (number == 0) {
        check((value & (OTG_EPCTL_DATA0 | 0x7FFu)) == 0); /* MPSIZ is a code; the toggle follows SETUP */
        endpoint->control |= before & OTG_EPCTL_STALL;    /* only a SETUP packet clears it */
    }
    if ((value & OTG_EPCTL_DATA0) != 0) {
        endpoint->toggle = 0;
    }
    if ((value & OTG_EPCTL_ACCEPT) != 0) {
        endpoint->control &= ~NAKS;
        endpoint->interrupts &= ~OTG_DIEPINT_NAKS;
    }
    if ((value & OTG_EPCTL_NAK) != 0) {
        endpoint->control |= NAKS;
        endpoint->interrupts |= is_in ? OTG_DIEPINT_NAKS : 0;
    }
    if ((value & OTG_EPCTL_ENABLE) != 0 && (before & OTG_EPCTL_ENABLE) == 0) {
        check(core_is_active(endpoint) && PACKET_COUNT(endpoint->size) == 1 && endpoint->n_words == 0);
        check(is_in || TRANSFER_BYTES(endpoint->size) == USB_PACKET_BYTES);
        check(!is_in || (endpoint->control >> OTG_DIEPCTL_FIFO & 15u) == number);
        check((number == 0 && (value & 0x7FFu) == 0) || (value & 0x7FFu) == USB_PACKET_BYTES);
        endpoint->control |= OTG_EPCTL_ENABLE;
    }
    if ((value & OTG_EPCTL_DISABLE) != 0) { /* an OUT endpoint would need Global OUT NAK */
        check(is_in && (before & OTG_EPCTL_ENABLE) != 0 && (endpoint->control & NAKS) != 0);
        endpoint->control &= ~OTG_EPCTL_ENABLE;
        endpoint->interrupts |= OTG_DIEPINT_DISABLED;
    }
}

void core_write_endpoint(uint32_t offset, uint32_t value) {
    bool is_in;
    uint32_t number, place;
    endpoint_t *const endpoint = find(offset, &is_in, &number, &place);
    if (place == 0x00) {
        write_control(endpoint, is_in, number, value);
    } else if (place == 0x08) {
        endpoint->interrupts &= ~value;
    } else {
        check(place == 0x10 && (endpoint->control & OTG_EPCTL_ENABLE) == 0);
        endpoint->size = value;
    }
}

uint32_t core_read_endpoint(uint32_t offset) {
    bool is_in;
    uint32_t number, place;
    const endpoint_t *const endpoint = find(offset, &is_in, &number, &place);
    check(place == 0x00 || place == 0x08 || place == 0x10);
    return place == 0x00 ? endpoint->control : place == 0x08 ? endpoint->interrupts : endpoint->size;
}
