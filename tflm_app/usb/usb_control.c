#include "usb/usb_control.h"

static uint16_t word(const uint8_t *bytes) { return (uint16_t)(bytes[0] | bytes[1] << 8); }

void usb_control_begin(usb_control_t *control, const uint8_t setup[USB_SETUP_BYTES]) {
    control->request = (usb_request_t){setup[0], setup[1], word(setup + 2), word(setup + 4), word(setup + 6)};
    control->stage = USB_IDLE;
    control->n_received = 0;
}

static void send_next(usb_control_t *control) {
    const size_t n = control->n_left < USB_PACKET_BYTES ? control->n_left : USB_PACKET_BYTES;
    const uint8_t *const packet = control->data;
    control->data += n;
    control->n_left -= n;
    control->has_empty_packet = control->has_empty_packet && n == USB_PACKET_BYTES;
    usb_port_send(USB_IN, packet, n);
}

void usb_control_accept(usb_control_t *control, const uint8_t *data, size_t n_bytes) {
    const size_t length = control->request.length;
    if (length == 0) {
        usb_control_finish(control);
    } else if ((control->request.type & USB_IN) != 0) {
        control->stage = USB_SENDING;
        control->data = data;
        control->n_left = n_bytes < length ? n_bytes : length;
        control->has_empty_packet = n_bytes < length;
        usb_port_receive(0); /* the host may begin the status stage at any time */
        send_next(control);
    } else if (length <= sizeof control->buffer) {
        control->stage = USB_RECEIVING;
        control->n_left = length;
        usb_port_receive(0);
    } else {
        usb_control_refuse(control);
    }
}

void usb_control_refuse(usb_control_t *control) {
    control->stage = USB_IDLE;
    usb_port_halt(0);
    usb_port_halt(USB_IN);
}

void usb_control_finish(usb_control_t *control) {
    control->stage = USB_STATUS_TO_HOST;
    usb_port_send(USB_IN, control->buffer, 0);
}

bool usb_control_sent(usb_control_t *control) {
    if (control->stage == USB_STATUS_TO_HOST) {
        control->stage = USB_IDLE;
        return true;
    }
    if (control->stage == USB_SENDING && (control->n_left > 0 || control->has_empty_packet)) {
        send_next(control);
    }
    return false;
}

bool usb_control_received(usb_control_t *control, const uint8_t *bytes, size_t n_bytes) {
    if (control->stage == USB_SENDING) { /* the status stage, which is over whatever the packet holds */
        control->stage = USB_IDLE;
    }
    if (control->stage != USB_RECEIVING) {
        return false;
    }
    const bool is_short = n_bytes < USB_PACKET_BYTES && n_bytes < control->n_left;
    if (is_short || n_bytes > control->n_left) {
        usb_control_refuse(control);
        return false;
    }
    for (size_t i = 0; i < n_bytes; i++) {
        control->buffer[control->n_received++] = bytes[i];
    }
    control->n_left -= n_bytes;
    if (control->n_left > 0) {
        usb_port_receive(0);
    }
    return control->n_left == 0;
}
