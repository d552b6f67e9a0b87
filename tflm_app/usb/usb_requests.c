#include "usb/usb_requests.h"

#include <string.h>

#include "usb/usb_descriptors.h"

/* 9.3, table 9-2: bmRequestType without its direction */
enum { TO_DEVICE = 0x00, TO_INTERFACE = 0x01, TO_ENDPOINT = 0x02, CLASS_TO_INTERFACE = 0x21 };

enum { /* 9.4, table 9-4 */
       GET_STATUS = 0,
       CLEAR_FEATURE = 1,
       SET_FEATURE = 3,
       SET_ADDRESS = 5,
       GET_DESCRIPTOR = 6,
       GET_CONFIGURATION = 8,
       SET_CONFIGURATION = 9,
       GET_INTERFACE = 10,
       SET_INTERFACE = 11,
};
#define ENDPOINT_HALT 0u

enum { SET_LINE_CODING = 0x20, GET_LINE_CODING = 0x21, SET_CONTROL_LINE_STATE = 0x22 };
#define LINE_STATE_DTR 1u

static const struct {
    uint8_t address, transfer_type, interface;
} endpoints[] = {
    {USB_CONSOLE_NOTIFY, USB_INTERRUPT, USB_CONSOLE_CONTROL},
    {USB_CONSOLE_OUT, USB_BULK, USB_CONSOLE_DATA},
    {USB_CONSOLE_IN, USB_BULK, USB_CONSOLE_DATA},
    {USB_MIDI_OUT, USB_BULK, USB_MIDI_STREAMING},
    {USB_MIDI_IN, USB_BULK, USB_MIDI_STREAMING},
};
#define N_ENDPOINTS (sizeof endpoints / sizeof endpoints[0])

/* Drops the MIDI that waits for the host, which may hold the start of a SysEx. */
static void begin_stream(usb_device_t *usb) {
    usb_ring_clear(&usb->midi_to_host);
    usb->begins_stream = true;
}

/* Opens an endpoint (of index i), which forgets its packet, its toggle and its halt. */
static void open(usb_device_t *usb, size_t i) {
    const uint32_t bit = usb_endpoint_bit(endpoints[i].address);
    usb->busy &= ~bit;
    usb->halted &= ~bit;
    usb->ends_notes |= endpoints[i].address == USB_MIDI_OUT;
    if (endpoints[i].address == USB_MIDI_IN) {
        begin_stream(usb);
    }
    usb_port_open(endpoints[i].address, endpoints[i].transfer_type);
}

void usb_request_configure(usb_device_t *usb, uint8_t configuration) {
    for (size_t i = 0; i < N_ENDPOINTS; i++) {
        if (configuration != 0) {
            open(usb, i);
        } else {
            usb_port_close(endpoints[i].address);
        }
    }
    usb->configuration = configuration;
    usb->ends_notes = true;
    usb->is_open = usb->is_open && configuration != 0;
    begin_stream(usb);
}

/* Answers with one or two bytes, made in the buffer: `byte`, and a zero. */
static bool send_byte(usb_device_t *usb, uint8_t byte, size_t n, const uint8_t **data, size_t *n_bytes) {
    usb->control.buffer[0] = byte;
    usb->control.buffer[1] = 0;
    *data = usb->control.buffer;
    *n_bytes = n;
    return true;
}

static bool accept_for_device(usb_device_t *usb, const uint8_t **data, size_t *n_bytes) {
    const usb_request_t *const request = &usb->control.request;
    switch (request->code) {
        case GET_STATUS: /* powered by the bus, no remote wakeup */
            return send_byte(usb, 0, 2, data, n_bytes);
        case SET_ADDRESS:
            if (request->value > 127) {
                return false;
            }
            usb_port_set_address((uint8_t)request->value, false);
            return true;
        case GET_DESCRIPTOR:
            *data = usb_descriptor_find((uint8_t)(request->value >> 8), (uint8_t)request->value,
                                        usb->control.buffer, n_bytes);
            return *data != NULL;
        case GET_CONFIGURATION:
            return send_byte(usb, usb->configuration, 1, data, n_bytes);
        case SET_CONFIGURATION:
            if (request->value > 1) {
                return false;
            }
            usb_request_configure(usb, (uint8_t)request->value);
            return true;
        default:
            return false;
    }
}

static bool accept_for_interface(usb_device_t *usb, const uint8_t **data, size_t *n_bytes) {
    const usb_request_t *const request = &usb->control.request;
    if (usb->configuration == 0 || request->index >= USB_N_INTERFACES) {
        return false;
    }
    switch (request->code) {
        case GET_STATUS:
            return send_byte(usb, 0, 2, data, n_bytes);
        case GET_INTERFACE:
            return send_byte(usb, 0, 1, data, n_bytes);
        case SET_INTERFACE: /* the only setting is 0 */
            for (size_t i = 0; i < N_ENDPOINTS && request->value == 0; i++) {
                if (endpoints[i].interface == request->index) {
                    open(usb, i);
                }
            }
            return request->value == 0;
        default:
            return false;
    }
}

static bool accept_for_endpoint(usb_device_t *usb, const uint8_t **data, size_t *n_bytes) {
    const usb_request_t *const request = &usb->control.request;
    if ((request->index & ~USB_IN) == 0) { /* endpoint 0, which is never halted */
        return request->code == GET_STATUS && send_byte(usb, 0, 2, data, n_bytes);
    }
    size_t i = 0;
    while (i < N_ENDPOINTS && endpoints[i].address != request->index) {
        i++;
    }
    if (usb->configuration == 0 || i == N_ENDPOINTS) {
        return false;
    }
    const uint32_t bit = usb_endpoint_bit(endpoints[i].address);
    switch (request->code) {
        case GET_STATUS:
            return send_byte(usb, (usb->halted & bit) != 0, 2, data, n_bytes);
        case CLEAR_FEATURE:
            if (request->value == ENDPOINT_HALT) {
                open(usb, i);
            }
            return request->value == ENDPOINT_HALT;
        case SET_FEATURE:
            if (request->value == ENDPOINT_HALT) {
                usb->halted |= bit;
                usb->busy &= ~bit;
                usb_port_halt(endpoints[i].address);
            }
            return request->value == ENDPOINT_HALT;
        default:
            return false;
    }
}

static bool accept_for_console(usb_device_t *usb, const uint8_t **data, size_t *n_bytes) {
    const usb_request_t *const request = &usb->control.request;
    if (usb->configuration == 0 || request->index != USB_CONSOLE_CONTROL) {
        return false;
    }
    switch (request->code) {
        case SET_LINE_CODING:
            return request->length == USB_LINE_CODING_BYTES;
        case GET_LINE_CODING:
            *data = usb->line_coding;
            *n_bytes = USB_LINE_CODING_BYTES;
            return true;
        case SET_CONTROL_LINE_STATE: {
            const bool is_open = (request->value & LINE_STATE_DTR) != 0;
            if (is_open && !usb->is_open) {
                usb_ring_clear(&usb->text_to_host); /* what an earlier terminal has not read */
                usb->has_lost_text = false;
            }
            usb->is_open = is_open;
            return true;
        }
        default:
            return false;
    }
}

/* Returns whether the stage of data agrees with the request. */
static bool has_right_direction(const usb_request_t *request) {
    const bool is_class = (request->type & ~USB_IN) == CLASS_TO_INTERFACE;
    const bool gets = is_class ? request->code == GET_LINE_CODING
                               : request->code == GET_STATUS || request->code == GET_DESCRIPTOR ||
                                     request->code == GET_CONFIGURATION || request->code == GET_INTERFACE;
    const bool has_data = gets || (is_class && request->code == SET_LINE_CODING);
    return gets == ((request->type & USB_IN) != 0) && (has_data || request->length == 0);
}

bool usb_request_accept(usb_device_t *usb, const uint8_t **data, size_t *n_bytes) {
    *data = NULL;
    *n_bytes = 0;
    if (!has_right_direction(&usb->control.request)) {
        return false;
    }
    switch (usb->control.request.type & ~USB_IN) {
        case TO_DEVICE:
            return accept_for_device(usb, data, n_bytes);
        case TO_INTERFACE:
            return accept_for_interface(usb, data, n_bytes);
        case TO_ENDPOINT:
            return accept_for_endpoint(usb, data, n_bytes);
        case CLASS_TO_INTERFACE:
            return accept_for_console(usb, data, n_bytes);
        default:
            return false;
    }
}

void usb_request_take_data(
    usb_device_t *usb) { /* SET_LINE_CODING is the only request with data to the device */
    memcpy(usb->line_coding, usb->control.buffer, sizeof usb->line_coding);
}

void usb_request_end(usb_device_t *usb) {
    const usb_request_t *const request = &usb->control.request;
    if (request->type == TO_DEVICE && request->code == SET_ADDRESS) {
        usb_port_set_address((uint8_t)request->value, true);
    }
}
