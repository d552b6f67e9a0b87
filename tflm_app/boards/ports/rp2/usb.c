/* The port of usb/usb_port.h to the controller of the RP2040 and the RP2350.
 *
 * All of the device runs in one interrupt of the lowest priority, which those of sound and UARTs preempt. It
 * lasts as long as the packets that have arrived need; the main loop makes it pending to have it start
 * others.
 *
 * Errata: RP2040-E15, a hub that cuts a bulk packet to the host at the end of a frame stops the controller;
 * so none starts in its last 200 us (is_frame_ending). RP2040-E5, before stepping B2 a device may stay in
 * reset behind a hub with other traffic: see usb_e5.h.
 *
 * Source: RP2040 datasheet, section 4.1; RP2350 datasheet, section 12.7.
 */
#include "usb.h"

#include "clocks.h"
#include "registers.h"
#include "usb_e5.h"

#define DPRAM_BYTES 4096u
#define BUFFER_0 0x100u /* of endpoint 0, in both directions */
#define BUFFERS 0x180u  /* of the others: 64 bytes for each direction of each number */
#define N_NUMBERS 16u

static uint32_t next_pid;     /* one bit per number and direction: the next packet is DATA1 */
static bool has_early_packet; /* the first packet of data for endpoint 0, from before its SETUP was handled */

void usb_pend(void) { REGISTER(NVIC_ISPR(IRQ_USBCTRL)) = 1u << IRQ_USBCTRL % 32u; }

/* --- the frame (USB 2.0, section 8.4.3) -------------------------------------------------------------- */

#ifdef CHIP_ROM_ARM_SECURE
static void begin_frame(void) {}
static void end_frames(void) {}
#define USB_INT_FRAMES 0u
static bool is_frame_ending(void) { return false; }
#else
#define USB_INT_FRAMES USB_INT_DEV_SOF
static bool has_frame;
static uint32_t frame_start; /* SysTick, which counts down */

static void begin_frame(void) {
    has_frame = true;
    frame_start = REGISTER(SYST_CVR);
}

static void end_frames(void) { has_frame = false; }

/* RP2040-E15: no bulk packet is started from 800 us after the start of a frame to the start of the next. */
static bool is_frame_ending(void) {
    const uint32_t frame = clocks_core_hz() / 1000u, cycles = (frame_start - REGISTER(SYST_CVR)) & SYST_MASK;
    return has_frame && cycles >= frame - frame / 5u && cycles < frame;
}
#endif

/* --- usb_port.h ------------------------------------------------------------------------------------- */

static uint32_t number_of(uint8_t endpoint) { return endpoint & 0x0Fu; }

static uint32_t is_out(uint8_t endpoint) { return (endpoint & USB_IN) == 0; }

static uint32_t index_of(uint8_t endpoint) { return 2u * number_of(endpoint) + is_out(endpoint); }

static uint32_t buffer_of(uint8_t endpoint) {
    return number_of(endpoint) == 0 ? BUFFER_0 : BUFFERS + USB_PACKET_BYTES * (index_of(endpoint) - 2u);
}

static uint32_t buffer_control(uint8_t endpoint) {
    return USB_BUFFER_CONTROL(number_of(endpoint), is_out(endpoint));
}

/* Gives the buffer to the controller. AVAILABLE must be set at least one cycle of its clock after the rest
 * (4.1.2.5.1), which is at most 4 of the core. A packet of a control transfer that a SETUP
 * packet has already ended is not sent. */
static void arm(uint8_t endpoint, uint32_t control) {
    const uint32_t address = buffer_control(endpoint);
    const uint32_t bit = 1u << index_of(endpoint);
    if (number_of(endpoint) == 0 && (REGISTER(USB_SIE_STATUS) & USB_SIE_STATUS_SETUP_REC) != 0) {
        return;
    }
    control |= (next_pid & bit) != 0 ? 1u << USB_BUFFER_PID : 0;
    next_pid ^= bit;
    REGISTER(address) = control;
    for (uint32_t n = 0; n < 12; n++) {
        __asm__ volatile("nop");
    }
    REGISTER(address) = control | USB_BUFFER_AVAILABLE;
}

void usb_port_reset(void) {
    REGISTER(USB_ADDR_ENDP) = 0;
    REGISTER(USB_BUFF_STATUS) = ~0u;
    REGISTER(USB_BUFFER_CONTROL(0, 0)) = 0;
    REGISTER(USB_BUFFER_CONTROL(0, 1)) = 0;
}

void usb_port_set_address(uint8_t address, bool is_status_over) {
    if (is_status_over) {
        REGISTER(USB_ADDR_ENDP) = address;
    }
}

void usb_port_open(uint8_t endpoint, uint8_t transfer_type) {
    REGISTER(buffer_control(endpoint)) = 0;
    next_pid &= ~(1u << index_of(endpoint));
    REGISTER(USB_BUFF_STATUS) = 1u << index_of(endpoint);
    REGISTER(USB_ENDPOINT_CONTROL(number_of(endpoint), is_out(endpoint))) =
        USB_ENDPOINT_ENABLE | USB_ENDPOINT_INTERRUPT_PER_BUFFER |
        (uint32_t)transfer_type << USB_ENDPOINT_TYPE | buffer_of(endpoint);
}

void usb_port_close(uint8_t endpoint) {
    REGISTER(USB_ENDPOINT_CONTROL(number_of(endpoint), is_out(endpoint))) = 0;
    REGISTER(buffer_control(endpoint)) = 0;
}

void usb_port_halt(uint8_t endpoint) {
    if (number_of(endpoint) == 0) { /* a SETUP packet clears these bits */
        REGISTER(USB_EP_STALL_ARM + SET_BITS) = 1u << index_of(endpoint);
    }
    REGISTER(buffer_control(endpoint)) = USB_BUFFER_STALL;
}

/* The shared memory takes no unaligned access, which memcpy might make. */
void usb_port_send(uint8_t endpoint, const uint8_t *bytes, size_t n_bytes) {
    volatile uint8_t *const buffer = (volatile uint8_t *)(USB_DPRAM_BASE + buffer_of(endpoint));
    for (size_t i = 0; i < n_bytes; i++) {
        buffer[i] = bytes[i];
    }
    arm(endpoint, USB_BUFFER_FULL | (uint32_t)n_bytes);
}

/* Endpoint 0 may already have received the packet, or be ready for it (handle_setup). */
void usb_port_receive(uint8_t endpoint) {
    const bool is_first = endpoint == 0 && (next_pid & 2u) != 0;
    if (is_first && (has_early_packet || (REGISTER(USB_BUFFER_CONTROL(0, 1)) & USB_BUFFER_AVAILABLE) != 0)) {
        has_early_packet = false;
        next_pid &= ~2u;
    } else {
        arm(endpoint, USB_PACKET_BYTES);
    }
}

/* --- the interrupt ---------------------------------------------------------------------------------- */

static void copy(uint8_t *bytes, uint32_t buffer, size_t n_bytes) {
    const volatile uint8_t *const source = (const volatile uint8_t *)(USB_DPRAM_BASE + buffer);
    for (size_t i = 0; i < n_bytes; i++) {
        bytes[i] = source[i];
    }
}

static void handle_buffers(void) {
    uint8_t packet[USB_PACKET_BYTES];
    uint32_t done = REGISTER(USB_BUFF_STATUS);
    if ((REGISTER(USB_SIE_STATUS) & USB_SIE_STATUS_SETUP_REC) != 0) {
        done &= ~3u; /* those of endpoint 0 are handled with the SETUP packet */
    }
    REGISTER(USB_BUFF_STATUS) = done;
    for (uint32_t index = 0; index < 2u * N_NUMBERS && done >> index != 0; index++) {
        const uint8_t endpoint = (uint8_t)(index / 2u | (index % 2u == 0 ? USB_IN : 0));
        if ((done >> index & 1u) == 0) {
            continue;
        }
        if (is_out(endpoint) != 0) {
            const size_t n = REGISTER(buffer_control(endpoint)) & USB_BUFFER_LENGTH;
            const size_t n_bytes = n < USB_PACKET_BYTES ? n : USB_PACKET_BYTES;
            copy(packet, buffer_of(endpoint), n_bytes);
            usb_device_received(&board_usb, endpoint, packet, n_bytes);
        } else {
            usb_device_sent(&board_usb, endpoint);
        }
    }
}

/* A SETUP packet does not take back what the transfer before has armed. A packet to the host is none of this
 * transfer. A buffer for an empty packet, the status of the one before, may have received the data that
 * follows the SETUP packet, or be about to. Both begin with DATA1, so it stays armed. */
static void handle_setup(void) {
    static const uint32_t armed = USB_BUFFER_AVAILABLE | 1u << USB_BUFFER_PID;
    uint8_t setup[USB_SETUP_BYTES], packet[USB_PACKET_BYTES];
    REGISTER(USB_SIE_STATUS) = USB_SIE_STATUS_SETUP_REC; /* first, so that a further one is not missed */
    const uint32_t received = REGISTER(USB_BUFF_STATUS) & 2u;
    const uint32_t control = REGISTER(USB_BUFFER_CONTROL(0, 1));
    const size_t n = received != 0 ? control & USB_BUFFER_LENGTH : 0;
    const size_t n_early = n < USB_PACKET_BYTES ? n : USB_PACKET_BYTES;
    REGISTER(USB_BUFFER_CONTROL(0, 0)) = 0;
    if (received != 0 || (control & armed) != armed) {
        REGISTER(USB_BUFFER_CONTROL(0, 1)) = 0;
    }
    REGISTER(USB_BUFF_STATUS) = 1u | received;
    next_pid |= 3u; /* both directions go on with DATA1 */
    copy(setup, 0, sizeof setup);
    copy(packet, BUFFER_0, n_early);
    has_early_packet = n_early > 0 && (setup[0] & USB_IN) == 0;
    const bool had_early_packet = has_early_packet;
    usb_device_setup(&board_usb, setup);
    if (had_early_packet && !has_early_packet) {
        usb_device_received(&board_usb, 0, packet, n_early);
    }
    has_early_packet = false;
}

/* A reset comes before a SETUP packet, which may have arrived after it: SETUP_REC and the packet stay until
 * handle_setup, whatever the reset clears (SIE_STATUS, 4.1.4). */
void usb_interrupt(void) {
    const uint32_t events = REGISTER(USB_INTS);
    if ((events & USB_INT_BUFF_STATUS) != 0) {
        handle_buffers();
    }
    if ((events & USB_INT_BUS_RESET) != 0) {
        REGISTER(USB_SIE_STATUS) = USB_SIE_STATUS_BUS_RESET;
        end_frames();
        usb_e5_begin();
        usb_device_reset(&board_usb);
    }
    if ((events & USB_INT_DEV_SOF) != 0) {
        (void)REGISTER(USB_SOF_RD); /* clears the cause */
        begin_frame();
    }
    if ((events & USB_INT_SETUP_REQ) != 0) {
        handle_setup();
    }
    if ((events & USB_INT_DEV_SUSPEND) != 0) {
        REGISTER(USB_SIE_STATUS) = USB_SIE_STATUS_SUSPENDED;
        end_frames();
        usb_device_suspend(&board_usb);
    }
    if (!is_frame_ending()) {
        usb_device_pump(&board_usb);
    }
}

void usb_start(void) {
    usb_device_init(&board_usb);
    REGISTER(RESETS_RESET + SET_BITS) = RESET_USBCTRL; /* the boot ROM may have used it */
    if (!clocks_start_usb() || !clocks_release(RESET_USBCTRL)) {
        return;
    }
    for (uint32_t i = 0; i < DPRAM_BYTES; i += 4u) {
        REGISTER(USB_DPRAM_BASE + i) = 0;
    }
    REGISTER(USB_MUXING) = USB_MUXING_TO_PHY | USB_MUXING_SOFTCON;
    REGISTER(USB_PWR) = USB_PWR_VBUS_DETECT | USB_PWR_VBUS_DETECT_OVERRIDE_EN; /* its pin is not connected */
    REGISTER(USB_SIE_CTRL) = USB_SIE_CTRL_EP0_INT_1BUF;
    REGISTER(USB_INTE) =
        USB_INT_BUFF_STATUS | USB_INT_BUS_RESET | USB_INT_SETUP_REQ | USB_INT_DEV_SUSPEND | USB_INT_FRAMES;
    REGISTER(USB_MAIN_CTRL) = USB_MAIN_CTRL_CONTROLLER_EN;
    REGISTER(NVIC_IPR(IRQ_USBCTRL)) |= 0xC0u << 8u * (IRQ_USBCTRL % 4u); /* the lowest of the RP2040 */
    REGISTER(NVIC_ISER(IRQ_USBCTRL)) = 1u << IRQ_USBCTRL % 32u;
    usb_e5_start();
    REGISTER(USB_SIE_CTRL + SET_BITS) = USB_SIE_CTRL_PULLUP_EN;
}
