/* The port of the RP2040 above plain memory at the addresses of the controller: SETUP packets that arrive
 * while packets of endpoint 0 are on their way or before a reset is handled, and the end of a frame.
 *
 * Two registers have bits that a written 1 clears. Their cells are settled at the next access: BUFF_STATUS
 * when its address is taken, and SETUP_REC of SIE_STATUS, whose cell holds ones until it is written, when its
 * mask is.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#pragma GCC diagnostic ignored "-Wint-to-pointer-cast" /* addresses of 32 bits */

#include "play_board.h"
#include "registers.h"

enum { BUFF_STATUS = USB_BUFF_STATUS };

static uint32_t buff_status;
static bool is_setup;

static uint32_t settle_buff_status(void) {
    if (REGISTER(BUFF_STATUS) != buff_status) {
        buff_status &= ~REGISTER(BUFF_STATUS);
    }
    REGISTER(BUFF_STATUS) = buff_status;
    return (uint32_t)BUFF_STATUS;
}

static uint32_t setup_rec(void) {
    const uint32_t written = REGISTER(USB_SIE_STATUS), bit = 1u << 17;
    is_setup = is_setup && (written == ~0u || (written & bit) == 0);
    REGISTER(USB_SIE_STATUS) = ~0u;
    return is_setup ? bit : 0;
}

#undef USB_BUFF_STATUS
#define USB_BUFF_STATUS settle_buff_status()
#undef USB_SIE_STATUS_SETUP_REC
#define USB_SIE_STATUS_SETUP_REC setup_rec()
#include "usb.c"
#include "usb_e5.c"

#define IN0 REGISTER(USB_BUFFER_CONTROL(0, 0))
#define OUT0 REGISTER(USB_BUFFER_CONTROL(0, 1))
#define FRAME 125000u /* cycles */

static void check(bool is_true) {
    if (!is_true) {
        abort();
    }
}

bool clocks_start_usb(void) { return true; }

bool clocks_release(uint32_t bits) { return bits != 0; }

uint32_t clocks_core_hz(void) { return 1000u * FRAME; }

uint32_t clocks_reference_hz(void) { return 12000000; }

static void map(uintptr_t address, size_t n_bytes) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    check(mmap((void *)address, n_bytes, PROT_READ | PROT_WRITE, flags, -1, 0) == (void *)address);
}

/* Has the interrupt occur for other events, for packets that are done (bits of BUFF_STATUS), and for a SETUP
 * packet, if any. */
static void interrupt_of(uint32_t events, uint32_t done, const uint8_t *setup) {
    buff_status = done;
    REGISTER(BUFF_STATUS) = done;
    if (setup != NULL) {
        memcpy((void *)(uintptr_t)USB_DPRAM_BASE, setup, USB_SETUP_BYTES);
        REGISTER(USB_SIE_STATUS) = ~0u;
        is_setup = true;
    }
    events |= (done != 0 ? USB_INT_BUFF_STATUS : 0) | (setup != NULL ? USB_INT_SETUP_REQ : 0);
    REGISTER(USB_INTS) = events;
    usb_interrupt();
    check(setup_rec() == 0);
}

static void interrupt(uint32_t done, const uint8_t *setup) { interrupt_of(0, done, setup); }

static const uint8_t get_descriptor[] = {0x80, 6, 0, 1, 0, 0, 18, 0},
                     set_address[] = {0, 5, 7, 0, 0, 0, 0, 0}, configure[] = {0, 9, 1, 0, 0, 0, 0, 0},
                     set_coding[] = {0x21, 0x20, 0, 0, 0, 0, 7, 0};
static const uint8_t coding[] = {1, 2, 3, 4, 0, 0, 8};

static void receive(const uint8_t *bytes, size_t n_bytes) {
    memcpy((void *)(uintptr_t)(USB_DPRAM_BASE + BUFFER_0), bytes, n_bytes);
    OUT0 = (OUT0 & ~(USB_BUFFER_AVAILABLE | USB_BUFFER_LENGTH)) | USB_BUFFER_FULL | (uint32_t)n_bytes;
}

static bool has(uint32_t control, uint32_t bits) { return (control & bits) == bits; }

/* The descriptor is sent while the next SETUP packet is handled. */
static void check_late_packet(void) {
    interrupt(0, get_descriptor);
    check(has(IN0, USB_BUFFER_AVAILABLE | 18u));
    interrupt(1, set_address);
    check(has(IN0, USB_BUFFER_AVAILABLE) && (IN0 & USB_BUFFER_LENGTH) == 0); /* the status stage waits */
    check(REGISTER(USB_ADDR_ENDP) == 0);                                     /* and the address with it */
    interrupt(1, NULL);
    check(REGISTER(USB_ADDR_ENDP) == 7);
}

/* The host aborts a transfer, whose status the device waits for, and sends a SETUP packet with data. */
static void check_early_data(void) {
    const uint32_t first = USB_BUFFER_AVAILABLE | 1u << USB_BUFFER_PID;
    interrupt(0, configure);
    interrupt(1, NULL);
    for (int is_early = 0; is_early < 2; is_early++) {
        board_usb.line_coding[0] = 0;
        interrupt(0, get_descriptor);
        check(has(OUT0, first)); /* for the status, which the host may begin at any time */
        if (is_early) {          /* the data is there before the interrupt */
            receive(coding, sizeof coding);
            interrupt(2, set_coding);
        } else {
            interrupt(0, set_coding);
            check(has(OUT0, first)); /* not taken back: the data may be on its way */
            receive(coding, sizeof coding);
            interrupt(2, NULL);
        }
        check(memcmp(board_usb.line_coding, coding, sizeof coding) == 0);
        check(has(IN0, first) && (IN0 & USB_BUFFER_LENGTH) == 0); /* the status */
        interrupt(1, NULL);
    }
    interrupt(0, get_descriptor);
    interrupt(1, NULL);
    receive(coding, 0); /* the status, and the next transfer at once */
    interrupt(2, set_coding);
    check(has(OUT0, first));
    receive(coding, sizeof coding);
    interrupt(2, NULL);
    check(has(IN0, first));
    interrupt(1, NULL);
}

/* The interrupt is so late that a SETUP packet has arrived after the reset; what was sent before it is not
 * this transfer's. */
static void check_setup_after_reset(void) {
    check(REGISTER(USB_ADDR_ENDP) == 7);
    interrupt(0, get_descriptor);
    interrupt_of(USB_INT_BUS_RESET, 1, get_descriptor);
    check(REGISTER(USB_ADDR_ENDP) == 0);
    check(has(IN0, USB_BUFFER_AVAILABLE | 1u << USB_BUFFER_PID | 18u));
    interrupt(1, NULL);
    interrupt(0, set_address);
    interrupt(1, NULL);
    interrupt(0, configure);
    interrupt(1, NULL);
}

/* RP2040-E15 */
static void check_end_of_frame(void) {
    static const uint8_t note[] = {0x90, 60, 100};
    static const struct {
        uint32_t cycles;
        bool starts;
    } moments[] = {{0, true}, {FRAME / 2, true}, {FRAME * 8 / 10 + 1, false}, {FRAME - 1, false}};
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        volatile uint32_t *const in = &REGISTER(USB_BUFFER_CONTROL(3, 0));
        REGISTER(SYST_CVR) = 100;
        REGISTER(USB_INTS) = USB_INT_DEV_SOF;
        usb_interrupt();
        check((*in & USB_BUFFER_AVAILABLE) == 0);
        board_usb_midi_write(note, sizeof note);
        REGISTER(SYST_CVR) = (100 - moments[i].cycles) & SYST_MASK;
        REGISTER(USB_INTS) = 0;
        usb_interrupt();
        check(has(*in, USB_BUFFER_AVAILABLE) == moments[i].starts);
        REGISTER(SYST_CVR) = (100 - FRAME) & SYST_MASK;
        REGISTER(USB_INTS) = USB_INT_DEV_SOF;
        usb_interrupt();
        check(has(*in, USB_BUFFER_AVAILABLE | 4u));
        *in &= ~USB_BUFFER_AVAILABLE;
        interrupt(1u << 6, NULL);
    }
}

int main(void) {
    map(0x50100000, 0x1000); /* the memory of the controller */
    map(0x50110000, 0x4000); /* its registers */
    map(0xE000E000, 0x1000); /* the interrupts, SysTick */
    map(0x4000C000, 0x8000); /* the resets */
    map(SYSINFO_BASE, 0x1000);
    REGISTER(SYSINFO_CHIP_ID) = CHIP_REVISION_B2 << CHIP_ID_REVISION; /* rp2_e5.c is about earlier ones */
    usb_start();
    check(has(REGISTER(USB_INTE), USB_INT_DEV_SOF));
    check_late_packet();
    check_early_data();
    check_setup_after_reset();
    check_end_of_frame();
    return 0;
}
