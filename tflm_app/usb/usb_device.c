#include "usb/usb_device.h"

#include <string.h>

#include "midi/midi_parser.h"
#include "usb/usb_descriptors.h"
#include "usb/usb_requests.h"

#define MIDI_BYTES_PER_PACKET (USB_PACKET_BYTES / USB_EVENT_BYTES * 3u)
/* Packets to the host are never full, so that each of them ends a transfer. */
#define MOST_TEXT (USB_PACKET_BYTES - 1u)
#define MOST_EVENTS (USB_PACKET_BYTES - USB_EVENT_BYTES)

static const uint8_t line_coding[USB_LINE_CODING_BYTES] = {0x00, 0xC2, 0x01, 0x00, 0, 0, 8}; /* 115200 8N1 */

void usb_device_init(usb_device_t *usb) {
    memset(usb, 0, sizeof *usb);
    memcpy(usb->line_coding, line_coding, sizeof line_coding);
}

/* --- the bus ---------------------------------------------------------------------------------------- */

void usb_device_reset(usb_device_t *usb) {
    usb_port_reset();
    usb_request_configure(usb, 0);
    usb->control.stage = USB_IDLE;
}

void usb_device_suspend(usb_device_t *usb) { usb->ends_notes = true; }

/* --- packets ---------------------------------------------------------------------------------------- */

void usb_device_setup(usb_device_t *usb, const uint8_t setup[USB_SETUP_BYTES]) {
    const uint8_t *data;
    size_t n_bytes;
    usb_control_begin(&usb->control, setup);
    if (usb_request_accept(usb, &data, &n_bytes)) {
        usb_control_accept(&usb->control, data, n_bytes);
    } else {
        usb_control_refuse(&usb->control);
    }
}

void usb_device_sent(usb_device_t *usb, uint8_t endpoint) {
    usb->busy &= ~usb_endpoint_bit(endpoint);
    if (endpoint == USB_IN && usb_control_sent(&usb->control)) {
        usb_request_end(usb);
    }
}

static void receive_events(usb_device_t *usb, const uint8_t *bytes, size_t n_bytes) {
    size_t i = 0;
    for (; i + USB_EVENT_BYTES <= n_bytes; i += USB_EVENT_BYTES) {
        const int n = usb_event_read(bytes + i);
        if (n > 0) {
            usb_ring_put(&usb->midi_from_host, bytes + i + 1, (size_t)n);
            usb->may_sound = true;
        }
        usb->n_errors += n < 0;
    }
    usb->n_errors += i < n_bytes; /* a part of an event */
}

void usb_device_received(usb_device_t *usb, uint8_t endpoint, const uint8_t *bytes, size_t n_bytes) {
    usb->busy &= ~usb_endpoint_bit(endpoint);
    if (endpoint == USB_CONSOLE_OUT) {
        usb_ring_put(&usb->text_from_host, bytes, n_bytes);
    } else if (endpoint == USB_MIDI_OUT) {
        receive_events(usb, bytes, n_bytes);
    } else if (usb_control_received(&usb->control, bytes, n_bytes)) {
        usb_request_take_data(usb);
        usb_control_finish(&usb->control);
    }
}

/* --- between the rings and the endpoints ------------------------------------------------------------ */

/* Returns whether an endpoint can take a packet, and then marks that it does. */
static bool claim(usb_device_t *usb, uint8_t endpoint, bool is_wanted) {
    const uint32_t bit = usb_endpoint_bit(endpoint);
    const bool is_free = is_wanted && ((usb->busy | usb->halted) & bit) == 0;
    usb->busy |= is_free ? bit : 0;
    return is_free;
}

static void send(usb_device_t *usb, uint8_t endpoint, usb_ring_t *ring, size_t most_bytes) {
    uint8_t packet[USB_PACKET_BYTES];
    if (claim(usb, endpoint, ring->n_put != ring->n_taken)) {
        usb_port_send(endpoint, packet, usb_ring_take(ring, packet, most_bytes));
    }
}

static void receive(usb_device_t *usb, uint8_t endpoint, const usb_ring_t *ring, size_t n_bytes) {
    if (claim(usb, endpoint, usb_ring_free(ring) >= n_bytes)) {
        usb_port_receive(endpoint);
    }
}

/* Ends what may sound, because its end may never arrive; while the ring is full, it is tried again. No packet
 * gets ahead, because none is accepted then. */
static void end_notes(usb_device_t *usb) {
    static const uint8_t damaged = MIDI_DAMAGED;
    if (usb->ends_notes && (!usb->may_sound || usb_ring_put(&usb->midi_from_host, &damaged, 1))) {
        usb->ends_notes = usb->may_sound = false;
    }
}

void usb_device_pump(usb_device_t *usb) {
    end_notes(usb);
    if (usb->configuration == 0) {
        return;
    }
    send(usb, USB_MIDI_IN, &usb->midi_to_host, MOST_EVENTS);
    send(usb, USB_CONSOLE_IN, &usb->text_to_host, MOST_TEXT);
    receive(usb, USB_MIDI_OUT, &usb->midi_from_host, MIDI_BYTES_PER_PACKET + 1u);
    receive(usb, USB_CONSOLE_OUT, &usb->text_from_host, USB_PACKET_BYTES);
}

/* --- the main loop ---------------------------------------------------------------------------------- */

size_t usb_device_read_midi(usb_device_t *usb, uint8_t *bytes, size_t capacity) {
    return usb_ring_take(&usb->midi_from_host, bytes, capacity);
}

size_t usb_device_read_console(usb_device_t *usb, char *text, size_t capacity) {
    return usb_ring_take(&usb->text_from_host, (uint8_t *)text, capacity);
}

void usb_device_write_midi(usb_device_t *usb, uint8_t byte) {
    uint8_t packet[USB_EVENT_BYTES];
    if (usb->begins_stream) {
        usb->begins_stream = false;
        usb_encoder_drop_sysex(&usb->encoder);
    }
    if (usb_encoder_feed(&usb->encoder, byte, packet) && usb->configuration != 0) {
        usb_ring_put(&usb->midi_to_host, packet, sizeof packet);
    }
}

void usb_device_write_console(usb_device_t *usb, const char *text, size_t n_bytes) {
    static const uint8_t mark = '~';
    usb_ring_t *const ring = &usb->text_to_host;
    if (!usb->is_open || (usb->has_lost_text && !usb_ring_put(ring, &mark, 1))) {
        return;
    }
    const size_t n_free = usb_ring_free(ring);
    const size_t n_put = n_bytes < n_free ? n_bytes : n_free;
    usb_ring_put(ring, (const uint8_t *)text, n_put);
    usb->has_lost_text = n_put < n_bytes;
}
