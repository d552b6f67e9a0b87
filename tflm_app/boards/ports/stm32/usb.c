/* The port of usb/usb_port.h to the OTG controller of the STM32 chips, as a device of full speed.
 *
 * All of the device runs in one interrupt, which those of sound and USARTs preempt. It lasts as long as the
 * packets that have arrived need; the main loop makes it pending to have it start others. The core copies the
 * packets itself. Each endpoint has at most one packet in a FIFO, so there is always room for it.
 *
 * What arrives is read from the entries of the receive FIFO alone, which keep its order. A SETUP packet comes
 * in two of them: the packet, and the end of the SETUP stage, when the host begins the next one. Only then
 * may endpoint 0 accept packets again.
 *
 * An endpoint that receives is never disabled, because that takes all of them to stop. It only NAKs, and what
 * it was enabled for stays so, until it accepts a packet again.
 *
 * Erratum of the F407 (ES0182, OTG_FS): accesses to the registers of an endpoint while a packet is written to
 * a FIFO may spoil the packet. Only this interrupt makes any.
 *
 * Sources: RM0090 sections 34.11 and 34.13 (FIFOs), 34.16 (registers) and 34.17 (programming model);
 * RM0433 chapter 57, under the same titles.
 */
#include "usb.h"

#include "chip.h"
#include "otg.h"
#include "pins.h"
#include "stm32.h"
#include "usb/usb_descriptors.h"

#define USB_PRIORITY 3u /* below those of sound and USARTs */
#define N_NUMBERS 4u    /* endpoints of the F407 in each direction; the H743 has more */
#define ALTERNATE_OTG 10u
_Static_assert((USB_MIDI_IN & 0x0F) < N_NUMBERS && (USB_CONSOLE_IN & 0x0F) < N_NUMBERS, "");

/* FIFOs, in words of 32 bits. Section 34.13.1: 10 for SETUP packets, 1 for Global OUT NAK; per endpoint that
 * receives a packet and two entries. */
#define RX_WORDS (10u + 1u + 3u * (USB_PACKET_BYTES / 4u + 2u))
#define TX_WORDS (USB_PACKET_BYTES / 4u)
_Static_assert(RX_WORDS + N_NUMBERS * TX_WORDS <= CHIP_OTG_FIFO_WORDS, "");

/* Polls of a register, at least 100 us: a packet may be on the bus, which takes 50 us. */
#define POLLS 10000u

static uint8_t setup[USB_SETUP_BYTES];
static bool has_setup;     /* a SETUP packet, whose stage has not ended */
static uint32_t finishing; /* one bit per number: a packet was received, but not yet the entry of its end */
static uint32_t accepting; /* ... and the endpoint is to accept another one then */

static bool otg_wait(uint32_t offset, uint32_t mask, uint32_t value) {
    uint32_t polls = POLLS;
    while (polls > 0 && (otg_read(offset) & mask) != value) {
        polls--;
    }
    return polls > 0;
}

static bool has_received(void) { return (otg_read(OTG_GINTSTS) & OTG_GINT_RECEIVED) != 0; }

/* Takes a packet out of the receive FIFO; bytes beyond the capacity are dropped. */
static size_t read_packet(uint8_t *bytes, size_t n_bytes, size_t capacity) {
    uint32_t word = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        word = i % 4u == 0 ? otg_read(OTG_FIFO(0)) : word >> 8;
        if (i < capacity) {
            bytes[i] = (uint8_t)word;
        }
    }
    return n_bytes < capacity ? n_bytes : capacity;
}

/* Takes an entry out of the receive FIFO. If it ends a transfer, the core disables the endpoint after that,
 * and has done so once it says that the transfer is over (section 34.16.4, EPENA in DOEPCTL). */
static uint32_t take_entry(void) {
    const uint32_t status = otg_read(OTG_GRXSTSP), interrupts = OTG_DOEPINT(OTG_GRXSTSP_NUMBER(status));
    const uint32_t kind = OTG_GRXSTSP_KIND(status);
    const uint32_t over = kind == OTG_OUT_DONE     ? OTG_DOEPINT_RECEIVED
                          : kind == OTG_SETUP_DONE ? OTG_DOEPINT_SETUP
                                                   : 0;
    if (over != 0) {
        otg_wait(interrupts, over, over);
        otg_write(interrupts, over);
    }
    return status;
}

/* --- usb_port.h ------------------------------------------------------------------------------------- */

static uint32_t number_of(uint8_t endpoint) { return endpoint & 0x0Fu; }

static bool is_in(uint8_t endpoint) { return (endpoint & USB_IN) != 0; }

static uint32_t control_of(uint8_t endpoint) {
    return is_in(endpoint) ? OTG_DIEPCTL(number_of(endpoint)) : OTG_DOEPCTL(number_of(endpoint));
}

/* Takes back a packet to the host. */
static void revoke(uint32_t number) {
    if ((otg_read(OTG_DIEPCTL(number)) & OTG_EPCTL_ENABLE) != 0) {
        otg_set(OTG_DIEPCTL(number), OTG_EPCTL_NAK);
        otg_wait(OTG_DIEPINT(number), OTG_DIEPINT_NAKS, OTG_DIEPINT_NAKS);
        if ((otg_read(OTG_DIEPCTL(number)) & OTG_EPCTL_ENABLE) != 0) { /* not sent meanwhile */
            otg_set(OTG_DIEPCTL(number), OTG_EPCTL_NAK | OTG_EPCTL_DISABLE);
            otg_wait(OTG_DIEPINT(number), OTG_DIEPINT_DISABLED, OTG_DIEPINT_DISABLED);
        }
    }
    otg_wait(OTG_GRSTCTL, OTG_GRSTCTL_IDLE, OTG_GRSTCTL_IDLE);
    otg_write(OTG_GRSTCTL, OTG_GRSTCTL_FLUSH_TX(number));
    otg_wait(OTG_GRSTCTL, OTG_GRSTCTL_TX, 0);
    otg_write(OTG_DIEPINT(number), OTG_DIEPINT_SENT | OTG_DIEPINT_DISABLED);
}

/* What waits in the receive FIFO may be older than the reset and is dropped, even a SETUP packet that is not:
 * an entry has no time but four bits of the frame number (section 34.16.2, GRXSTSP), and a SET_ADDRESS from
 * before the reset must not be answered. The interrupt comes when a reset begins (34.17.3), 20 ms before the
 * next SETUP packet (USB 2.0, 7.1.7.5): this takes a core that stands still, as while a sector is erased.
 * A host repeats a request without an answer. */
void usb_port_reset(void) {
    has_setup = false;
    finishing = accepting = 0;
    otg_clear(OTG_DCFG, OTG_DCFG_ADDRESS_MASK);
    for (uint32_t number = 0; number < N_NUMBERS; number++) {
        otg_set(OTG_DOEPCTL(number), OTG_EPCTL_NAK);
        revoke(number);
    }
    for (uint32_t n = 0; n < RX_WORDS && has_received(); n++) { /* a flush would lose the ends of transfers */
        read_packet(NULL, OTG_GRXSTSP_BYTES(take_entry()), 0);
    }
    otg_write(OTG_DIEPMSK, OTG_DIEPINT_SENT);
    otg_write(OTG_DAINTMSK, OTG_DAINTMSK_IN(N_NUMBERS));
    if ((otg_read(OTG_DOEPCTL(0)) & OTG_EPCTL_ENABLE) == 0) {
        otg_write(OTG_DOEPTSIZ(0), OTG_DOEPTSIZ0_SETUPS);
    }
}

/* The core changes the address after the status stage. */
void usb_port_set_address(uint8_t address, bool is_status_over) {
    if (!is_status_over) {
        otg_clear(OTG_DCFG, OTG_DCFG_ADDRESS_MASK);
        otg_set(OTG_DCFG, (uint32_t)address << OTG_DCFG_ADDRESS);
    }
}

void usb_port_open(uint8_t endpoint, uint8_t transfer_type) {
    uint32_t control = OTG_EPCTL_BYTES | OTG_EPCTL_ACTIVE | OTG_EPCTL_NAK | OTG_EPCTL_DATA0 |
                       (uint32_t)transfer_type << OTG_EPCTL_TYPE;
    if (is_in(endpoint)) {
        revoke(number_of(endpoint));
        control |= number_of(endpoint) << OTG_DIEPCTL_FIFO;
    }
    otg_write(control_of(endpoint), control);
    accepting &= ~(is_in(endpoint) ? 0 : 1u << endpoint);
}

void usb_port_close(uint8_t endpoint) {
    if (is_in(endpoint)) {
        revoke(number_of(endpoint));
    }
    otg_write(control_of(endpoint), OTG_EPCTL_NAK);
}

void usb_port_halt(uint8_t endpoint) {
    if (is_in(endpoint)) {
        revoke(number_of(endpoint));
    }
    otg_set(control_of(endpoint), OTG_EPCTL_STALL); /* a SETUP packet clears those of endpoint 0 */
}

/* A packet of a control transfer that a SETUP packet has already ended is not sent, and none accepted. */
static bool is_over(uint8_t endpoint) { return number_of(endpoint) == 0 && has_setup; }

void usb_port_send(uint8_t endpoint, const uint8_t *bytes, size_t n_bytes) {
    const uint32_t number = number_of(endpoint);
    if (is_over(endpoint)) {
        return;
    }
    otg_write(OTG_DIEPTSIZ(number), OTG_EPTSIZ_PACKET((uint32_t)n_bytes));
    otg_set(OTG_DIEPCTL(number), OTG_EPCTL_ENABLE | OTG_EPCTL_ACCEPT);
    for (size_t i = 0; i < n_bytes; i += 4) {
        uint32_t word = 0;
        for (size_t j = 0; j < 4 && i + j < n_bytes; j++) {
            word |= (uint32_t)bytes[i + j] << 8 * j;
        }
        otg_write(OTG_FIFO(number), word);
    }
}

void usb_port_receive(uint8_t endpoint) {
    if (is_over(endpoint)) {
        return;
    }
    if ((finishing >> endpoint & 1u) != 0) {
        accepting |= 1u << endpoint;
        return;
    }
    if ((otg_read(OTG_DOEPCTL(endpoint)) & OTG_EPCTL_ENABLE) == 0) {
        otg_write(OTG_DOEPTSIZ(endpoint),
                  OTG_EPTSIZ_PACKET(USB_PACKET_BYTES) | (endpoint == 0 ? OTG_DOEPTSIZ0_SETUPS : 0));
    }
    otg_set(OTG_DOEPCTL(endpoint), OTG_EPCTL_ENABLE | OTG_EPCTL_ACCEPT);
}

/* --- the interrupt ---------------------------------------------------------------------------------- */

static void handle_setup(void) {
    if (!has_setup) {
        return;
    }
    revoke(0); /* a packet of the transfer before is none of this one */
    otg_write(OTG_DOEPINT(0), ~0u);
    finishing &= ~1u;
    accepting &= ~1u;
    has_setup = false;
    usb_device_setup(&board_usb, setup);
}

static void finish_packet(uint32_t number) {
    finishing &= ~(1u << number);
    if ((accepting >> number & 1u) != 0) {
        accepting &= ~(1u << number);
        usb_port_receive((uint8_t)number);
    }
}

static void handle_received(void) {
    uint8_t packet[USB_PACKET_BYTES];
    while (has_received()) {
        const uint32_t status = take_entry(), number = OTG_GRXSTSP_NUMBER(status);
        const size_t n_bytes = OTG_GRXSTSP_BYTES(status);
        switch (OTG_GRXSTSP_KIND(status)) {
            case OTG_SETUP_PACKET: /* the last one of several counts */
                read_packet(setup, n_bytes, sizeof setup);
                has_setup = true;
                break;
            case OTG_SETUP_DONE:
                handle_setup();
                break;
            case OTG_OUT_PACKET:
                finishing |= 1u << number;
                usb_device_received(&board_usb, (uint8_t)number, packet,
                                    read_packet(packet, n_bytes, sizeof packet));
                break;
            case OTG_OUT_DONE:
                finish_packet(number);
                break;
            default:
                break;
        }
    }
}

static void handle_sent(void) {
    for (uint32_t number = 0; number < N_NUMBERS; number++) {
        if ((otg_read(OTG_DIEPINT(number)) & OTG_DIEPINT_SENT) != 0) {
            otg_write(OTG_DIEPINT(number), OTG_DIEPINT_SENT);
            usb_device_sent(&board_usb, (uint8_t)(number | USB_IN));
        }
    }
}

void usb_interrupt(void) {
    const uint32_t events = otg_read(OTG_GINTSTS);
    otg_write(OTG_GINTSTS, events & (OTG_GINT_RESET | OTG_GINT_SUSPEND));
    if ((events & OTG_GINT_RESET) != 0) {
        usb_device_reset(&board_usb);
    }
    if ((events & OTG_GINT_RECEIVED) != 0) {
        handle_received();
    }
    if ((events & OTG_GINT_SENT) != 0) {
        handle_sent();
    }
    if ((events & OTG_GINT_SUSPEND) != 0) {
        usb_device_suspend(&board_usb);
    }
    usb_device_pump(&board_usb);
    board_wake();
}

void usb_pend(void) { interrupt_pend(CHIP_OTG_IRQ); }

/* --- the start -------------------------------------------------------------------------------------- */

/* Section 34.17.1 (core initialization) and 34.17.3 (device initialization). */
static bool start_core(void) {
    if (!otg_wait(OTG_GRSTCTL, OTG_GRSTCTL_IDLE, OTG_GRSTCTL_IDLE)) {
        return false;
    }
    otg_set(OTG_GUSBCFG, OTG_GUSBCFG_FULL_SPEED);
    otg_write(OTG_GRSTCTL, OTG_GRSTCTL_RESET); /* takes the clock of 48 MHz */
    if (!otg_wait(OTG_GRSTCTL, OTG_GRSTCTL_RESET | OTG_GRSTCTL_IDLE, OTG_GRSTCTL_IDLE)) {
        return false;
    }
    otg_write(OTG_GUSBCFG, OTG_GUSBCFG_FULL_SPEED | OTG_GUSBCFG_TURNAROUND | OTG_GUSBCFG_FORCE_DEVICE);
    bool is_device = false;
    for (uint32_t n = 0; n < 100u && !is_device; n++) { /* up to 25 ms */
        is_device = otg_wait(OTG_GINTSTS, OTG_GINTSTS_HOST, 0);
    }
    otg_set(OTG_DCTL, OTG_DCTL_DETACHED);
    otg_write(OTG_GCCFG, OTG_GCCFG_TRANSCEIVER | CHIP_OTG_GCCFG); /* without sensing VBUS */
    otg_write(OTG_GOTGCTL, CHIP_OTG_GOTGCTL);
    otg_write(OTG_PCGCCTL, 0);
    otg_write(OTG_DCFG, OTG_DCFG_FULL_SPEED);
    return is_device;
}

static void start_fifos(void) {
    otg_write(OTG_GRXFSIZ, RX_WORDS);
    for (uint32_t number = 0; number < N_NUMBERS; number++) {
        otg_write(OTG_DIEPTXF(number), TX_WORDS << 16 | (RX_WORDS + number * TX_WORDS));
    }
}

void usb_start(void) {
    usb_device_init(&board_usb);
    if (!clocks_start_usb() || !start_core()) {
        return;
    }
    pin_set_alternate((pin_t){0, 11}, ALTERNATE_OTG); /* PA11: D- */
    pin_set_alternate((pin_t){0, 12}, ALTERNATE_OTG); /* PA12: D+ */
    start_fifos();
    usb_port_reset();
    otg_write(OTG_GINTSTS, ~0u);
    otg_write(OTG_GINTMSK, OTG_GINT_RECEIVED | OTG_GINT_SENT | OTG_GINT_RESET | OTG_GINT_SUSPEND);
    otg_write(OTG_GAHBCFG, OTG_GAHBCFG_INTERRUPTS);
    interrupt_enable(CHIP_OTG_IRQ, USB_PRIORITY);
    otg_clear(OTG_DCTL, OTG_DCTL_DETACHED);
}
