#include "otg_model.h"

#include <stdlib.h>
#include <string.h>

#include "otg.h"

#define N_NUMBERS 4u
#define N_ENTRIES 64u

/* Bits of DIEPCTL and DOEPCTL that are kept as they are written; NAKSTS is the state that CNAK and SNAK set.
 */
#define KEPT (0x7FFu | OTG_EPCTL_ACTIVE | 3u << OTG_EPCTL_TYPE | OTG_EPCTL_STALL | 15u << OTG_DIEPCTL_FIFO)
#define NAKS (1u << 17)
#define XFRC 1u
#define STUP (1u << 3)
#define PACKET_COUNT(size) ((size) >> 19 & 0x3FFu)
#define TRANSFER_BYTES(size) ((size)&0x7Fu)
#define ENUMERATED (1u << 13) /* ENUMDNE */
#define OUT_EVENTS (1u << 19) /* OEPINT */
#define LATCHED (OTG_GINT_SUSPEND | OTG_GINT_RESET | ENUMERATED | 1u << 31)

typedef struct {
    uint32_t control, interrupts, size;
    uint8_t toggle;
    uint32_t fifo[USB_PACKET_BYTES / 4], n_words;
} endpoint_t;

typedef struct {
    uint32_t status;
    uint8_t bytes[USB_PACKET_BYTES];
} entry_t;

static endpoint_t ins[N_NUMBERS], outs[N_NUMBERS];
static entry_t entries[N_ENTRIES]; /* of the receive FIFO */
static size_t n_entries;
static uint8_t unread[USB_PACKET_BYTES]; /* of the packet whose entry was taken */
static size_t n_unread, n_taken;         /* words */
static uint32_t registers[0x1000 / 4];
static uint32_t latched, commands, n_busy, n_host_reads;
static uint8_t address;
static bool owes_setup_done;
static uint32_t owes_out_done; /* one bit per number */

/* What the core does some accesses after an entry was taken. Section 34.16.4 (DOEPCTL): it clears EPENA
 * before it sets the flag, and so promises nothing sooner. */
static endpoint_t *ending;
static uint32_t ending_flag, n_until_end, n_ends;

static void check(bool is_true) {
    if (!is_true) {
        abort();
    }
}

static uint32_t *of(uint32_t offset) { return &registers[offset / 4]; }

static size_t words(size_t n_bytes) { return (n_bytes + 3) / 4; }

/* --- FIFOs -------------------------------------------------------------------------------------------- */

static size_t rx_words(void) {
    size_t n = 0;
    for (size_t i = 0; i < n_entries; i++) {
        n += 1 + words(OTG_GRXSTSP_BYTES(entries[i].status));
    }
    return n;
}

static bool push(uint32_t kind, uint32_t number, const uint8_t *bytes, size_t n_bytes) {
    if (rx_words() + 1 + words(n_bytes) > *of(OTG_GRXFSIZ)) {
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

static void count_access(void) {
    if (ending != NULL && --n_until_end == 0) {
        end_transfer();
    }
}

static void end_later(endpoint_t *out, uint32_t flag) {
    ending = out;
    ending_flag = flag;
    n_until_end = 2u + 4u * (n_ends++ % 4u);
}

static uint32_t pop(void) {
    check(n_entries > 0 && n_taken == words(n_unread));
    end_transfer();
    const entry_t entry = entries[0];
    memmove(entries, entries + 1, --n_entries * sizeof entries[0]);
    endpoint_t *const out = &outs[OTG_GRXSTSP_NUMBER(entry.status)];
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

static uint32_t take_word(void) {
    check(n_taken < words(n_unread));
    uint32_t word = 0xEEEEEEEEu; /* what follows the last byte is undefined */
    const size_t start = 4 * n_taken++;
    memcpy(&word, unread + start, n_unread - start < 4 ? n_unread - start : 4);
    return word;
}

/* The FIFOs lie one after the other in the memory of the controller. */
static void check_fifos(void) {
    uint32_t end = *of(OTG_GRXFSIZ);
    check(end >= 16);
    for (uint32_t number = 0; number < N_NUMBERS; number++) {
        const uint32_t place = *of(OTG_DIEPTXF(number));
        check((place & 0xFFFFu) >= end && place >> 16 >= 16);
        end = (place & 0xFFFFu) + (place >> 16);
    }
    check(end <= CHIP_OTG_FIFO_WORDS);
}

/* --- endpoints ---------------------------------------------------------------------------------------- */

/* Returns the endpoint that an offset belongs to, NULL if none; sets the offset of its register. */
static endpoint_t *find(uint32_t offset, bool *is_in, uint32_t *number, uint32_t *place) {
    if (offset < 0x900u || offset >= 0xD00u) {
        return NULL;
    }
    *is_in = offset < 0xB00u;
    *number = (offset & 0x1FFu) / 0x20u;
    *place = offset % 0x20u;
    *number = *is_in ? (offset - 0x900u) / 0x20u : (offset - 0xB00u) / 0x20u;
    check(*number < N_NUMBERS);
    return *is_in ? &ins[*number] : &outs[*number];
}

static bool is_active(const endpoint_t *endpoint) {
    return endpoint == &ins[0] || endpoint == &outs[0] || (endpoint->control & OTG_EPCTL_ACTIVE) != 0;
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
        check(is_active(endpoint) && PACKET_COUNT(endpoint->size) == 1 && endpoint->n_words == 0);
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

static void write_endpoint(endpoint_t *endpoint, bool is_in, uint32_t number, uint32_t place,
                           uint32_t value) {
    if (place == 0x00) {
        write_control(endpoint, is_in, number, value);
    } else if (place == 0x08) {
        endpoint->interrupts &= ~value;
    } else {
        check(place == 0x10 && (endpoint->control & OTG_EPCTL_ENABLE) == 0);
        endpoint->size = value;
    }
}

static uint32_t read_endpoint(const endpoint_t *endpoint, uint32_t place) {
    check(place == 0x00 || place == 0x08 || place == 0x10);
    return place == 0x00 ? endpoint->control : place == 0x08 ? endpoint->interrupts : endpoint->size;
}

/* --- registers ---------------------------------------------------------------------------------------- */

static void reset_core(void) {
    memset(ins, 0, sizeof ins);
    memset(outs, 0, sizeof outs);
    memset(registers, 0, sizeof registers);
    n_entries = n_unread = n_taken = 0;
    latched = commands = 0;
    n_host_reads = 5; /* until FDMOD has an effect */
    address = 0;
    owes_setup_done = false;
    owes_out_done = n_ends = 0;
    ending = NULL;
}

static uint32_t states(void) {
    uint32_t events = latched | (n_entries > 0 ? OTG_GINT_RECEIVED : 0);
    for (uint32_t number = 0; number < N_NUMBERS; number++) {
        const bool is_in = (ins[number].interrupts & *of(OTG_DIEPMSK)) != 0;
        events |= is_in && (*of(OTG_DAINTMSK) >> number & 1u) != 0 ? OTG_GINT_SENT : 0;
        const bool is_out = (outs[number].interrupts & *of(0x814u)) != 0;
        events |= is_out && (*of(OTG_DAINTMSK) >> (16 + number) & 1u) != 0 ? OUT_EVENTS : 0;
    }
    return events;
}

uint32_t otg_read(uint32_t offset) {
    bool is_in;
    uint32_t number, place;
    count_access();
    const endpoint_t *const endpoint = find(offset, &is_in, &number, &place);
    if (endpoint != NULL) {
        return read_endpoint(endpoint, place);
    }
    switch (offset) {
        case OTG_GRSTCTL:
            commands = n_busy > 0 && --n_busy > 0 ? commands : 0;
            return commands | (commands == 0 ? OTG_GRSTCTL_IDLE : 0);
        case OTG_GINTSTS:
            n_host_reads -= n_host_reads > 0;
            return states() | (n_host_reads > 0 ? OTG_GINTSTS_HOST : 0);
        case OTG_GRXSTSP:
            return pop();
        case 0x1000:
            return take_word();
        default:
            check(offset < sizeof registers);
            return *of(offset);
    }
}

static void write_fifo(uint32_t number, uint32_t word) {
    check(number < N_NUMBERS);
    endpoint_t *const in = &ins[number];
    check((in->control & OTG_EPCTL_ENABLE) != 0 && 4 * in->n_words < TRANSFER_BYTES(in->size));
    check(in->n_words < *of(OTG_DIEPTXF(number)) >> 16);
    in->fifo[in->n_words++] = word;
}

static void command(uint32_t value) {
    check((commands & ~value) == 0 && value != 0);
    commands = value;
    n_busy = 3;
    if ((value & OTG_GRSTCTL_RESET) != 0) {
        reset_core();
        commands = value;
    }
    if ((value & OTG_GRSTCTL_TX) != 0) {
        const uint32_t number = value >> 6 & 31u;
        check(number < N_NUMBERS && (ins[number].control & OTG_EPCTL_ENABLE) == 0);
        ins[number].n_words = 0;
    }
}

void otg_write(uint32_t offset, uint32_t value) {
    bool is_in;
    uint32_t number, place;
    count_access();
    endpoint_t *const endpoint = find(offset, &is_in, &number, &place);
    if (endpoint != NULL) {
        write_endpoint(endpoint, is_in, number, place, value);
    } else if (offset >= 0x1000) {
        write_fifo(offset / 0x1000u - 1u, value);
    } else if (offset == OTG_GRSTCTL) {
        command(value);
    } else if (offset == OTG_GINTSTS) {
        latched &= ~value;
    } else {
        *of(offset) = value;
        if (offset == OTG_DCFG && (value & OTG_DCFG_ADDRESS_MASK) == 0) {
            address = 0;
        }
    }
}

bool model_requests_interrupt(void) {
    return (*of(OTG_GAHBCFG) & OTG_GAHBCFG_INTERRUPTS) != 0 && (states() & *of(OTG_GINTMSK)) != 0;
}

/* --- the bus ------------------------------------------------------------------------------------------ */

void model_start(void) { reset_core(); }

bool model_is_attached(void) {
    const uint32_t config = *of(OTG_GUSBCFG);
    check_fifos();
    check((config & OTG_GUSBCFG_FORCE_DEVICE) != 0 && (config >> 10 & 15u) == 6);
    check((*of(OTG_DCFG) & 3u) == 3u);
    check((*of(OTG_GCCFG) & ~CHIP_OTG_GCCFG) == OTG_GCCFG_TRANSCEIVER);
    check((*of(OTG_GCCFG) & 1u << 21) == CHIP_OTG_GCCFG && *of(OTG_GOTGCTL) == CHIP_OTG_GOTGCTL);
    return (*of(OTG_DCTL) & OTG_DCTL_DETACHED) == 0;
}

void model_reset(void) {
    latched |= OTG_GINT_RESET;
    owes_setup_done = false;
    for (uint32_t number = 1; number < N_NUMBERS; number++) {
        ins[number].control &= ~OTG_EPCTL_ACTIVE;
        outs[number].control &= ~OTG_EPCTL_ACTIVE;
    }
}

void model_end_reset(void) {
    check((*of(OTG_DCFG) & OTG_DCFG_ADDRESS_MASK) == 0 && address == 0);
    latched |= ENUMERATED;
}

void model_suspend(void) { latched |= OTG_GINT_SUSPEND; }

handshake_t model_setup(uint8_t to_address, const uint8_t setup[USB_SETUP_BYTES]) {
    if (to_address != address || !push(OTG_SETUP_PACKET, 0, setup, USB_SETUP_BYTES)) {
        return BUS_TIMEOUT;
    }
    endpoint_t *const both[] = {&ins[0], &outs[0]};
    for (int i = 0; i < 2; i++) {
        both[i]->control = (both[i]->control & ~OTG_EPCTL_STALL) | NAKS;
        both[i]->toggle = 1;
    }
    ins[0].interrupts |= OTG_DIEPINT_NAKS;
    owes_setup_done = true;
    return BUS_ACK;
}

void model_end_setup(uint8_t to_address, uint8_t number) {
    if (to_address == address && number == 0 && owes_setup_done) {
        owes_setup_done = !push(OTG_SETUP_DONE, 0, NULL, 0);
    }
}

/* Returns the handshake of an endpoint that is not ready, or BUS_ACK. */
static handshake_t state_of(uint8_t to_address, const endpoint_t *endpoint) {
    if (to_address != address || !is_active(endpoint)) {
        return BUS_TIMEOUT;
    }
    if ((endpoint->control & OTG_EPCTL_STALL) != 0) {
        return BUS_STALL;
    }
    const bool is_ready = (endpoint->control & (OTG_EPCTL_ENABLE | NAKS)) == OTG_EPCTL_ENABLE &&
                          PACKET_COUNT(endpoint->size) == 1;
    return is_ready ? BUS_ACK : BUS_NAK;
}

handshake_t model_in(uint8_t to_address, uint8_t number, uint8_t bytes[USB_PACKET_BYTES], size_t *n_bytes,
                     uint8_t *pid) {
    endpoint_t *const in = &ins[number];
    const handshake_t handshake = state_of(to_address, in);
    if (handshake != BUS_ACK) {
        return handshake;
    }
    *n_bytes = TRANSFER_BYTES(in->size);
    if (in->n_words < words(*n_bytes)) {
        return BUS_NAK;
    }
    memcpy(bytes, in->fifo, *n_bytes);
    *pid = in->toggle;
    in->toggle ^= 1;
    in->n_words = 0;
    in->size = 0;
    in->control &= ~OTG_EPCTL_ENABLE;
    in->interrupts |= XFRC;
    if (number == 0 && *n_bytes == 0) { /* a status stage: a new address applies */
        address = (uint8_t)((*of(OTG_DCFG) & OTG_DCFG_ADDRESS_MASK) >> OTG_DCFG_ADDRESS);
    }
    return BUS_ACK;
}

handshake_t model_out(uint8_t to_address, uint8_t number, const uint8_t *bytes, size_t n_bytes, uint8_t pid) {
    endpoint_t *const out = &outs[number];
    const handshake_t handshake = state_of(to_address, out);
    if (handshake != BUS_ACK || pid != out->toggle) {
        return handshake;
    }
    if (rx_words() + 2 + words(n_bytes) > *of(OTG_GRXFSIZ)) {
        return BUS_NAK;
    }
    push(OTG_OUT_PACKET, number, bytes, n_bytes);
    owes_out_done |= 1u << number;
    out->toggle ^= 1;
    out->size = 0; /* no packet left */
    out->control |= NAKS;
    return BUS_ACK;
}

void model_end_out(void) {
    for (uint32_t number = 0; number < N_NUMBERS; number++) {
        if ((owes_out_done >> number & 1u) != 0) {
            check(push(OTG_OUT_DONE, number, NULL, 0));
        }
    }
    owes_out_done = 0;
}
