/* The functions that a port provides for the controller of a chip: usb.c in boards/ports/rp2 and in
 * boards/ports/stm32.
 *
 * An endpoint is given by its address: the number, and 0x80 for the direction to the host (IN). The port
 * reports what happens on the bus to usb_device.h, in its interrupt. It keeps the data toggles: both begin
 * with DATA1 after a SETUP packet, and with DATA0 after usb_port_open. Every function returns within the time
 * of copying a packet.
 *
 * Source of all of tflm_app/usb: USB 2.0, chapters 5, 8 and 9; each file names its further sources.
 */
#ifndef USB_PORT_H
#define USB_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USB_PACKET_BYTES 64u /* the longest packet of control and bulk endpoints at full speed */
#define USB_IN 0x80u         /* the direction to the host, in an address */

/* 9.6.6 Transfer types, as in bmAttributes */
#define USB_BULK 2u
#define USB_INTERRUPT 3u

/* Returns to the state after a bus reset: address 0, endpoint 0 idle, the others closed. */
void usb_port_reset(void);

/* Answers to another address once the status stage of the present transfer is over. Called before that stage
 * and after it, because some controllers change the address by themselves, and others at once. */
void usb_port_set_address(uint8_t address, bool is_status_over);

/* Opens an endpoint other than 0, or opens it again: it holds no packet, NAKs, and is not halted. */
void usb_port_open(uint8_t endpoint, uint8_t transfer_type);

/* Closes an endpoint other than 0: it does not answer. */
void usb_port_close(uint8_t endpoint);

/* Answers with STALL until the endpoint is opened again; both directions of endpoint 0, until the next SETUP
 * packet. */
void usb_port_halt(uint8_t endpoint);

/* Sends a packet of at most 64 bytes when the host asks for it; usb_device_sent reports that it has. */
void usb_port_send(uint8_t endpoint, const uint8_t *bytes, size_t n_bytes);

/* Accepts one packet from the host, which usb_device_received reports. Endpoint 0 may accept one and send one
 * at the same time. */
void usb_port_receive(uint8_t endpoint);

#endif
