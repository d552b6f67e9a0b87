#include "bus.h"

#include <stdlib.h>
#include <string.h>

#define N_NUMBERS 4

typedef struct {
    bool is_open, is_halted, is_armed;
    uint8_t toggle;
    size_t n_bytes;
    uint8_t bytes[USB_PACKET_BYTES];
} endpoint_t;

usb_device_t bus_device;
size_t bus_answer_bytes;

static endpoint_t endpoints[N_NUMBERS][2]; /* by number; OUT, IN */
static uint8_t address;

static void check(bool is_true) {
    if (!is_true) {
        abort();
    }
}

static endpoint_t *find(uint8_t endpoint) {
    check((endpoint & 0x7F) < N_NUMBERS);
    return &endpoints[endpoint & 0x7F][(endpoint & USB_IN) != 0];
}

/* --- usb_port.h ------------------------------------------------------------------------------------- */

void usb_port_reset(void) {
    memset(endpoints, 0, sizeof endpoints);
    endpoints[0][0].is_open = endpoints[0][1].is_open = true;
    address = 0;
}

void usb_port_set_address(uint8_t new_address, bool is_status_over) {
    check(new_address < 128);
    address = is_status_over ? new_address : address;
}

void usb_port_open(uint8_t endpoint, uint8_t transfer_type) {
    check((endpoint & 0x7F) != 0 && (transfer_type == USB_BULK || transfer_type == USB_INTERRUPT));
    *find(endpoint) = (endpoint_t){.is_open = true};
}

void usb_port_close(uint8_t endpoint) {
    check((endpoint & 0x7F) != 0);
    *find(endpoint) = (endpoint_t){0};
}

void usb_port_halt(uint8_t endpoint) {
    check(find(endpoint)->is_open);
    find(endpoint)->is_halted = true;
    find(endpoint)->is_armed = false;
}

static endpoint_t *arm(uint8_t endpoint) {
    endpoint_t *const found = find(endpoint);
    check(found->is_open && !found->is_halted && !found->is_armed);
    found->is_armed = true;
    return found;
}

void usb_port_send(uint8_t endpoint, const uint8_t *bytes, size_t n_bytes) {
    check((endpoint & USB_IN) != 0 && n_bytes <= USB_PACKET_BYTES);
    endpoint_t *const found = arm(endpoint);
    found->n_bytes = n_bytes;
    for (size_t i = 0; i < n_bytes; i++) {
        found->bytes[i] = bytes[i];
    }
}

void usb_port_receive(uint8_t endpoint) {
    check((endpoint & USB_IN) == 0);
    arm(endpoint);
}

/* --- the host --------------------------------------------------------------------------------------- */

void bus_hold(bool is_to_hold) { check(!is_to_hold); }

void bus_start(void) {
    usb_device_init(&bus_device);
    bus_answer_bytes = 0;
    bus_reset();
}

void bus_reset(void) {
    usb_device_reset(&bus_device);
    usb_device_pump(&bus_device);
}

void bus_suspend(void) {
    usb_device_suspend(&bus_device);
    usb_device_pump(&bus_device);
}

handshake_t bus_setup(uint8_t to_address, const uint8_t setup[USB_SETUP_BYTES]) {
    static uint8_t answer[1024];
    if (to_address != address) {
        return BUS_TIMEOUT;
    }
    for (int i = 0; i < 2; i++) {
        endpoints[0][i] = (endpoint_t){.is_open = true, .toggle = 1};
    }
    if (bus_answer_bytes == 0) {
        usb_device_setup(&bus_device, setup);
    } else {
        for (size_t i = 0; i < sizeof answer; i++) {
            answer[i] = (uint8_t)i;
        }
        usb_control_begin(&bus_device.control, setup);
        usb_control_accept(&bus_device.control, answer, bus_answer_bytes);
    }
    usb_device_pump(&bus_device);
    return BUS_ACK;
}

/* Returns the handshake of an endpoint that is not ready, or BUS_ACK. */
static handshake_t state_of(uint8_t to_address, const endpoint_t *endpoint) {
    if (to_address != address || !endpoint->is_open) {
        return BUS_TIMEOUT;
    }
    return endpoint->is_halted ? BUS_STALL : endpoint->is_armed ? BUS_ACK : BUS_NAK;
}

handshake_t bus_in(uint8_t to_address, uint8_t number, uint8_t bytes[USB_PACKET_BYTES], size_t *n_bytes,
                   uint8_t *pid) {
    endpoint_t *const endpoint = find(number | USB_IN);
    const handshake_t handshake = state_of(to_address, endpoint);
    if (handshake == BUS_ACK) {
        memcpy(bytes, endpoint->bytes, endpoint->n_bytes);
        *n_bytes = endpoint->n_bytes;
        *pid = endpoint->toggle;
        endpoint->toggle ^= 1;
        endpoint->is_armed = false;
        usb_device_sent(&bus_device, number | USB_IN);
        usb_device_pump(&bus_device);
    }
    return handshake;
}

handshake_t bus_out(uint8_t to_address, uint8_t number, const uint8_t *bytes, size_t n_bytes, uint8_t pid) {
    endpoint_t *const endpoint = find(number);
    const handshake_t handshake = state_of(to_address, endpoint);
    if (handshake == BUS_ACK && pid == endpoint->toggle) {
        endpoint->toggle ^= 1;
        endpoint->is_armed = false;
        usb_device_received(&bus_device, number, bytes, n_bytes);
        usb_device_pump(&bus_device);
    }
    return handshake;
}
