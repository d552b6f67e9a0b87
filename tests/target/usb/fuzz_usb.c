/* libFuzzer target: a host that does anything it likes with the USB device.
 *
 * Each byte of the input selects a step: a transaction with bytes that follow, or one of the main loop. Most
 * inputs begin with a device that is configured and whose terminal is open. After each step the state must be
 * within its bounds; after the input, the device must enumerate and pass a note. Above a model of the OTG
 * controller (CAN_HOLD), the interrupt may be late.
 */
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "usb/usb_descriptors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t n_left;
static int is_held;

static void check(int is_true) {
    if (!is_true) {
        abort();
    }
}

static uint8_t next(void) { return n_left > 0 ? (n_left--, *input++) : 0; }

static size_t next_bytes(uint8_t *bytes, size_t capacity) {
    size_t n = next() % (capacity + 1);
    n = n < n_left ? n : n_left;
    memcpy(bytes, input, n);
    input += n;
    n_left -= n;
    return n;
}

/* A control transfer of a host that obeys the specification; returns whether it was accepted. */
static int request(uint8_t address, const uint8_t setup[USB_SETUP_BYTES]) {
    uint8_t bytes[USB_PACKET_BYTES], pid;
    size_t n = USB_PACKET_BYTES;
    handshake_t handshake = bus_setup(address, setup);
    const int receives = (setup[0] & USB_IN) != 0 && (setup[6] | setup[7]) != 0;
    while (receives && handshake == BUS_ACK && n == USB_PACKET_BYTES) {
        handshake = bus_in(address, 0, bytes, &n, &pid);
    }
    if (handshake == BUS_ACK) {
        handshake = receives ? bus_out(address, 0, bytes, 0, 1) : bus_in(address, 0, bytes, &n, &pid);
    }
    return handshake == BUS_ACK;
}

static void configure(uint8_t address) {
    const uint8_t requests[][USB_SETUP_BYTES] = {
        {0x00, 5, address, 0, 0, 0, 0, 0},
        {0x80, 6, 0, 2, 0, 0, 255, 0},
        {0x00, 9, 1, 0, 0, 0, 0, 0},
        {0x21, 0x22, 3, 0, 0, 0, 0, 0},
    };
    bus_hold(is_held = 0);
    bus_reset();
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        check(request(i == 0 ? 0 : address, requests[i]));
    }
}

static void step(uint8_t address) {
    uint8_t bytes[128], pid;
    size_t n;
    switch (next() % 11) {
        case 0:
            (void)next_bytes(memset(bytes, 0, sizeof bytes), USB_SETUP_BYTES);
            bus_setup(address, bytes);
            break;
        case 1: {
            const uint8_t number = next() % 4;
            n = next_bytes(bytes, USB_PACKET_BYTES);
            bus_out(address, number, bytes, n, next() & 1u);
            break;
        }
        case 2:
            bus_in(address, next() % 4, bytes, &n, &pid);
            break;
        case 3:
            (void)usb_device_read_midi(&bus_device, bytes, next() % sizeof bytes);
            break;
        case 4:
            (void)usb_device_read_console(&bus_device, (char *)bytes, next() % sizeof bytes);
            break;
        case 5:
            for (n = next_bytes(bytes, sizeof bytes); n > 0; n--) {
                usb_device_write_midi(&bus_device, bytes[n - 1]);
            }
            break;
        case 6:
            n = next_bytes(bytes, sizeof bytes);
            usb_device_write_console(&bus_device, (const char *)bytes, n);
            break;
        case 7:
            configure(address);
            break;
        case 8: /* events, most of which are right */
            for (n = 0; n < USB_PACKET_BYTES; n += USB_EVENT_BYTES) {
                bytes[n] = next() & 0x1Fu;
                bytes[n + 1] = (uint8_t)((bytes[n] & 0x0F) << 4 | (next() & 0x0Fu));
                bytes[n + 2] = next();
                bytes[n + 3] = next();
            }
            bus_out(address, 3, bytes, sizeof bytes / 2, next() & 1u);
            break;
        case 9:
            next() % 2 == 0 ? bus_suspend() : bus_reset();
            break;
        default:
#ifdef CAN_HOLD
            bus_hold(is_held = next() & 1);
#endif
            break;
    }
    if (!is_held) {
        usb_device_pump(&bus_device);
    }
}

static void check_ring(const usb_ring_t *ring) { check(ring->n_put - ring->n_taken <= USB_RING_BYTES); }

static void check_state(void) {
    check(bus_device.configuration <= 1);
    check(bus_device.control.n_received <= USB_PACKET_BYTES);
    check(bus_device.encoder.n_bytes <= sizeof bus_device.encoder.bytes);
    check_ring(&bus_device.midi_from_host);
    check_ring(&bus_device.midi_to_host);
    check_ring(&bus_device.text_from_host);
    check_ring(&bus_device.text_to_host);
    check((bus_device.midi_to_host.n_put - bus_device.midi_to_host.n_taken) % USB_EVENT_BYTES == 0);
}

/* A device in any state enumerates again, and receives a note after what it has received before. */
static void check_recovery(void) {
    static const uint8_t note[] = {0x09, 0x90, 60, 100};
    uint8_t bytes[USB_RING_BYTES];
    configure(5);
    while (usb_device_read_midi(&bus_device, bytes, sizeof bytes) > 0) {
        usb_device_pump(&bus_device);
    }
    check(bus_out(5, 3, note, sizeof note, 0) == BUS_ACK);
    check(usb_device_read_midi(&bus_device, bytes, sizeof bytes) == 3 && memcmp(bytes, note + 1, 3) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input = data;
    n_left = size;
    const uint8_t start = next();
    const uint8_t address = start % 3u;
    bus_start();
    if (start < 192) {
        configure(address);
    }
    while (n_left > 0) {
        step(address);
        check_state();
    }
    check_recovery();
    return 0;
}
