/* The requests that the device obeys: the standard ones, and those of its console. All others are refused.
 *
 * Source: USB 2.0, section 9.4; PSTN Devices 1.2, section 6.3 (requests of the abstract control model).
 */
#ifndef USB_REQUESTS_H
#define USB_REQUESTS_H

#include "usb/usb_device.h"

/* Handles the request in usb->control except for data from the host; returns false if it is refused. If it
 * asks for data, sets the data and its length. */
bool usb_request_accept(usb_device_t *usb, const uint8_t **data, size_t *n_bytes);

/* Handles a request whose data is in the buffer. */
void usb_request_take_data(usb_device_t *usb);

/* Handles the end of the status stage: the address changes after it. */
void usb_request_end(usb_device_t *usb);

/* Selects a configuration: 0 closes all endpoints but 0, 1 opens them. */
void usb_request_configure(usb_device_t *usb, uint8_t configuration);

/* Returns the bit of an endpoint in usb->busy and usb->halted. */
static inline uint32_t usb_endpoint_bit(uint8_t endpoint) {
    return 1u << ((endpoint & 0x0Fu) + ((endpoint & USB_IN) != 0 ? 16u : 0));
}

#endif
