/* A model of a USB controller: the port below the device, and above it the transactions of a host.
 *
 * bus.c knows what every controller has: a buffer per endpoint, data toggles, NAK, STALL. otg_bus.c is the
 * driver of the STM32 boards above a model of its controller. In both, a packet with the wrong toggle is
 * acknowledged and dropped, because it repeats one whose handshake was lost (USB 2.0, section 8.6.4), and the
 * interrupt follows every transaction. Whatever the device asks of the port must be possible, otherwise the
 * program aborts.
 */
#ifndef BUS_H
#define BUS_H

#include "usb/usb_device.h"

typedef enum { BUS_TIMEOUT, BUS_ACK, BUS_NAK, BUS_STALL } handshake_t;

extern usb_device_t bus_device;

/* If not 0, requests go to usb_control.h alone, which accepts them with so many bytes of data: 0, 1, 2 ... */
extern size_t bus_answer_bytes;

/* Keeps the interrupt from occurring until it is released; in bus.c it cannot be held. */
void bus_hold(bool is_to_hold);

void bus_start(void);
void bus_reset(void);
void bus_suspend(void); /* also what an unplugged cable looks like: no controller here senses VBUS */
handshake_t bus_setup(uint8_t address, const uint8_t setup[USB_SETUP_BYTES]);
handshake_t bus_in(uint8_t address, uint8_t number, uint8_t bytes[USB_PACKET_BYTES], size_t *n_bytes,
                   uint8_t *pid);
handshake_t bus_out(uint8_t address, uint8_t number, const uint8_t *bytes, size_t n_bytes, uint8_t pid);

#endif
