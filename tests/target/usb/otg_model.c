#include "otg_model.h"

#include <string.h>

#include "otg_core.h"

#define ENUMERATED (1u << 13) /* ENUMDNE */
#define OUT_EVENTS (1u << 19) /* OEPINT */

static uint32_t latched, commands, n_busy, n_host_reads;
static uint8_t address;
static bool owes_setup_done;
static uint32_t owes_out_done; /* one bit per number */

/* --- registers ---------------------------------------------------------------------------------------- */

static void reset(void) {
    core_reset();
    latched = commands = 0;
    n_host_reads = 5; /* until FDMOD has an effect */
    address = 0;
    owes_setup_done = false;
    owes_out_done = 0;
}

static uint32_t states(void) {
    uint32_t events = latched | (core_has_received() ? OTG_GINT_RECEIVED : 0);
    for (uint32_t number = 0; number < N_NUMBERS; number++) {
        const bool is_in = (core_ins[number].interrupts & *core_at(OTG_DIEPMSK)) != 0;
        events |= is_in && (*core_at(OTG_DAINTMSK) >> number & 1u) != 0 ? OTG_GINT_SENT : 0;
        const bool is_out = (core_outs[number].interrupts & *core_at(0x814u)) != 0;
        events |= is_out && (*core_at(OTG_DAINTMSK) >> (16 + number) & 1u) != 0 ? OUT_EVENTS : 0;
    }
    return events;
}

uint32_t otg_read(uint32_t offset) {
    core_count_access();
    if (core_is_endpoint(offset)) {
        return core_read_endpoint(offset);
    }
    switch (offset) {
        case OTG_GRSTCTL:
            commands = n_busy > 0 && --n_busy > 0 ? commands : 0;
            return commands | (commands == 0 ? OTG_GRSTCTL_IDLE : 0);
        case OTG_GINTSTS:
            n_host_reads -= n_host_reads > 0;
            return states() | (n_host_reads > 0 ? OTG_GINTSTS_HOST : 0);
        case OTG_GRXSTSP:
            return core_pop();
        case 0x1000:
            return core_take_word();
        default:
            check(offset < sizeof core_registers);
            return *core_at(offset);
    }
}

static void command(uint32_t value) {
    check((commands & ~value) == 0 && value != 0);
    commands = value;
    n_busy = 3;
    if ((value & OTG_GRSTCTL_RESET) != 0) {
        reset();
        commands = value;
    }
    if ((value & OTG_GRSTCTL_TX) != 0) {
        core_flush(value >> 6 & 31u);
    }
}

void otg_write(uint32_t offset, uint32_t value) {
    core_count_access();
    if (core_is_endpoint(offset)) {
        core_write_endpoint(offset, value);
    } else if (offset >= 0x1000) {
        core_fill(offset / 0x1000u - 1u, value);
    } else if (offset == OTG_GRSTCTL) {
        command(value);
    } else if (offset == OTG_GINTSTS) {
        latched &= ~value;
    } else {
        *core_at(offset) = value;
        if (offset == OTG_DCFG && (value & OTG_DCFG_ADDRESS_MASK) == 0) {
            address = 0;
        }
    }
}

bool model_requests_interrupt(void) {
    return (*core_at(OTG_GAHBCFG) & OTG_GAHBCFG_INTERRUPTS) != 0 && (states() & *core_at(OTG_GINTMSK)) != 0;
}

/* --- the bus ------------------------------------------------------------------------------------------ */

void model_start(void) { reset(); }

bool model_is_attached(void) {
    const uint32_t config = *core_at(OTG_GUSBCFG);
    core_check_fifos();
    check((config & OTG_GUSBCFG_FORCE_DEVICE) != 0 && (config >> 10 & 15u) == 6);
    check((*core_at(OTG_DCFG) & 3u) == 3u);
    check((*core_at(OTG_GCCFG) & ~CHIP_OTG_GCCFG) == OTG_GCCFG_TRANSCEIVER);
    check((*core_at(OTG_GCCFG) & 1u << 21) == CHIP_OTG_GCCFG && *core_at(OTG_GOTGCTL) == CHIP_OTG_GOTGCTL);
    return (*core_at(OTG_DCTL) & OTG_DCTL_DETACHED) == 0;
}

void model_reset(void) {
    latched |= OTG_GINT_RESET;
    owes_setup_done = false;
    for (uint32_t number = 1; number < N_NUMBERS; number++) {
        core_ins[number].control &= ~OTG_EPCTL_ACTIVE;
        core_outs[number].control &= ~OTG_EPCTL_ACTIVE;
    }
}

void model_end_reset(void) {
    check((*core_at(OTG_DCFG) & OTG_DCFG_ADDRESS_MASK) == 0 && address == 0);
    latched |= ENUMERATED;
}

void model_suspend(void) { latched |= OTG_GINT_SUSPEND; }

handshake_t model_setup(uint8_t to_address, const uint8_t setup[USB_SETUP_BYTES]) {
    if (to_address != address || !core_push(OTG_SETUP_PACKET, 0, setup, USB_SETUP_BYTES)) {
        return BUS_TIMEOUT;
    }
    endpoint_t *const both[] = {&core_ins[0], &core_outs[0]};
    for (int i = 0; i < 2; i++) {
        both[i]->control = (both[i]->control & ~OTG_EPCTL_STALL) | NAKS;
        both[i]->toggle = 1;
    }
    core_ins[0].interrupts |= OTG_DIEPINT_NAKS;
    owes_setup_done = true;
    return BUS_ACK;
}

void model_end_setup(uint8_t to_address, uint8_t number) {
    if (to_address == address && number == 0 && owes_setup_done) {
        owes_setup_done = !core_push(OTG_SETUP_DONE, 0, NULL, 0);
    }
}

/* Returns the handshake of an endpoint that is not ready, or BUS_ACK. */
static handshake_t state_of(uint8_t to_address, const endpoint_t *endpoint) {
    if (to_address != address || !core_is_active(endpoint)) {
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
    endpoint_t *const in = &core_ins[number];
    const handshake_t handshake = state_of(to_address, in);
    if (handshake != BUS_ACK) {
        return handshake;
    }
    *n_bytes = TRANSFER_BYTES(in->size);
    if (in->n_words < core_words(*n_bytes)) {
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
        address = (uint8_t)((*core_at(OTG_DCFG) & OTG_DCFG_ADDRESS_MASK) >> OTG_DCFG_ADDRESS);
    }
    return BUS_ACK;
}

handshake_t model_out(uint8_t to_address, uint8_t number, const uint8_t *bytes, size_t n_bytes, uint8_t pid) {
    endpoint_t *const out = &core_outs[number];
    const handshake_t handshake = state_of(to_address, out);
    if (handshake != BUS_ACK || pid != out->toggle) {
        return handshake;
    }
    if (!core_has_room(2 + core_words(n_bytes))) {
        return BUS_NAK;
    }
    core_push(OTG_OUT_PACKET, number, bytes, n_bytes);
    owes_out_done |= 1u << number;
    out->toggle ^= 1;
    out->size = 0; /* no packet left */
    out->control |= NAKS;
    return BUS_ACK;
}

void model_end_out(void) {
    for (uint32_t number = 0; number < N_NUMBERS; number++) {
        if ((owes_out_done >> number & 1u) != 0) {
            check(core_push(OTG_OUT_DONE, number, NULL, 0));
        }
    }
    owes_out_done = 0;
}
