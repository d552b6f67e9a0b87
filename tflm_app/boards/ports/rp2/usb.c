/* The port of usb/usb_port.h to the controller of the RP2040 and the RP2350, and the MIDI port of
 * play_board.h.
 *
 * All of the device runs in one interrupt of the lowest priority, which those of sound and UARTs preempt. It
 * lasts as long as the packets that have arrived need; the main loop makes it pending to have it start
 * others.
 *
 * Errata without a remedy here: RP2040-E5, before stepping B2 a device may stay in reset behind a hub with
 * other traffic; RP2040-E15, certain errors on the bus during a packet to the host stop the controller.
 * Connect the board to another socket, without a hub, then.
 *
 * Source: RP2040 datasheet, section 4.1; RP2350 datasheet, section 12.7.
 */
#include "usb.h"

#include "clocks.h"
#include "play_board.h"
#include "registers.h"
#include "usb/usb_device.h"

#define DPRAM_BYTES 4096u
#define BUFFER_0 0x100u /* of endpoint 0, in both directions */
#define BUFFERS 0x180u  /* of the others: 64 bytes for each direction of each number */
#define N_NUMBERS 16u

static usb_device_t usb;
static uint32_t next_pid; /* one bit per number and direction: the next packet is DATA1 */

static void wake(void) {
    if (usb.configuration != 0 || usb.ends_notes) {
        REGISTER(NVIC_ISPR(IRQ_USBCTRL)) = 1u << IRQ_USBCTRL % 32u;
    }
}

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

void usb_port_set_address(uint8_t address) { REGISTER(USB_ADDR_ENDP) = address; }

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

void usb_port_receive(uint8_t endpoint) { arm(endpoint, USB_PACKET_BYTES); }

/* --- the interrupt ---------------------------------------------------------------------------------- */

static void copy(uint8_t *bytes, uint32_t buffer, size_t n_bytes) {
    const volatile uint8_t *const source = (const volatile uint8_t *)(USB_DPRAM_BASE + buffer);
    for (size_t i = 0; i < n_bytes; i++) {
        bytes[i] = source[i];
    }
}

static void handle_buffers(void) {
    uint8_t packet[USB_PACKET_BYTES];
    const uint32_t done = REGISTER(USB_BUFF_STATUS);
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
            usb_device_received(&usb, endpoint, packet, n_bytes);
        } else {
            usb_device_sent(&usb, endpoint);
        }
    }
}

static void handle_setup(void) {
    uint8_t setup[USB_SETUP_BYTES];
    REGISTER(USB_SIE_STATUS) = USB_SIE_STATUS_SETUP_REC; /* first, so that a further one is not missed */
    REGISTER(USB_BUFFER_CONTROL(0, 0)) = 0;
    REGISTER(USB_BUFFER_CONTROL(0, 1)) = 0;
    REGISTER(USB_BUFF_STATUS) = 3u; /* a packet of the transfer before is none of this one */
    next_pid |= 3u;                 /* both directions go on with DATA1 */
    copy(setup, 0, sizeof setup);
    usb_device_setup(&usb, setup);
}

void usb_interrupt(void) {
    const uint32_t events = REGISTER(USB_INTS);
    if ((events & USB_INT_BUFF_STATUS) != 0) {
        handle_buffers();
    }
    if ((events & USB_INT_BUS_RESET) != 0) {
        REGISTER(USB_SIE_STATUS) = USB_SIE_STATUS_BUS_RESET;
        usb_device_reset(&usb);
    }
    if ((events & USB_INT_SETUP_REQ) != 0) {
        handle_setup();
    }
    if ((events & USB_INT_DEV_SUSPEND) != 0) {
        REGISTER(USB_SIE_STATUS) = USB_SIE_STATUS_SUSPENDED;
        usb_device_suspend(&usb);
    }
    usb_device_pump(&usb);
}

void usb_start(void) {
    usb_device_init(&usb);
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
    REGISTER(USB_INTE) = USB_INT_BUFF_STATUS | USB_INT_BUS_RESET | USB_INT_SETUP_REQ | USB_INT_DEV_SUSPEND;
    REGISTER(USB_MAIN_CTRL) = USB_MAIN_CTRL_CONTROLLER_EN;
    REGISTER(NVIC_IPR(IRQ_USBCTRL)) |= 0xC0u << 8u * (IRQ_USBCTRL % 4u); /* the lowest of the RP2040 */
    REGISTER(NVIC_ISER(IRQ_USBCTRL)) = 1u << IRQ_USBCTRL % 32u;
    REGISTER(USB_SIE_CTRL + SET_BITS) = USB_SIE_CTRL_PULLUP_EN;
}

/* --- the main loop ---------------------------------------------------------------------------------- */

size_t board_usb_midi_read(uint8_t *bytes, size_t capacity) {
    const size_t n = usb_device_read_midi(&usb, bytes, capacity);
    if (n > 0) {
        wake();
    }
    return n;
}

void board_usb_midi_write(const uint8_t *bytes, size_t n_bytes) {
    for (size_t i = 0; i < n_bytes; i++) {
        usb_device_write_midi(&usb, bytes[i]);
    }
    wake();
}

size_t usb_console_read(char *text, size_t capacity) {
    const size_t n = usb_device_read_console(&usb, text, capacity);
    if (n > 0) {
        wake();
    }
    return n;
}

void usb_console_write(const char *text, size_t n_bytes) {
    usb_device_write_console(&usb, text, n_bytes);
    wake();
}

uint32_t usb_midi_errors(void) { return usb.n_errors; }
