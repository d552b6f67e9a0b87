/* The stages of a control transfer at endpoint 0: SETUP, data in either direction, status.
 *
 * A SETUP packet ends whatever was under way. Data to the host may be longer than a packet; data from the
 * host may be longer than a packet too, but not than the buffer. The host may end its reading early, with the
 * status stage, which it also begins if the device has missed the last handshake (8.5.3.3).
 *
 * Source: USB 2.0, sections 8.5.3 and 9.3. State: less than 100 bytes on a 32-bit core.
 */
#ifndef USB_CONTROL_H
#define USB_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usb/usb_port.h"

#define USB_SETUP_BYTES 8u

typedef struct {
    uint8_t type; /* bmRequestType; USB_IN is set if data goes to the host */
    uint8_t code; /* bRequest */
    uint16_t value, index, length;
} usb_request_t;

typedef enum { USB_IDLE, USB_SENDING, USB_RECEIVING, USB_STATUS_TO_HOST } usb_stage_t;

/* Caller-owned state. All zero is the initial state. */
typedef struct {
    usb_request_t request;
    usb_stage_t stage;
    const uint8_t *data;   /* what is still to be sent */
    size_t n_left;         /* bytes to be sent or received */
    bool has_empty_packet; /* an empty packet follows, because the data is shorter than was asked for */
    size_t n_received;     /* bytes of the data stage in the buffer */
    uint8_t buffer[USB_PACKET_BYTES];
} usb_control_t;

/* Reads a SETUP packet. The caller then accepts the request or refuses it. */
void usb_control_begin(usb_control_t *control, const uint8_t setup[USB_SETUP_BYTES]);

/* Goes on: sends the data if the request asks for it, receives its data if there is any, or ends it. The data
 * must stay unchanged until the next SETUP packet; what is more than the host asks for is not sent. */
void usb_control_accept(usb_control_t *control, const uint8_t *data, size_t n_bytes);

/* Answers with STALL until the next SETUP packet. */
void usb_control_refuse(usb_control_t *control);

/* Handles the end of a packet to the host; returns true if that ends the status stage. */
bool usb_control_sent(usb_control_t *control);

/* Handles a packet from the host; returns true if all data of the request is now in the buffer. The caller
 * then calls usb_control_finish or usb_control_refuse. */
bool usb_control_received(usb_control_t *control, const uint8_t *bytes, size_t n_bytes);

/* Begins the status stage of a request whose data was received. */
void usb_control_finish(usb_control_t *control);

#endif
