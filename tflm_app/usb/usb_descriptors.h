/* The descriptors of the device, and the numbers that they give to its interfaces and endpoints.
 *
 *     interface 0, 1   console: CDC-ACM, control and data
 *     interface 2, 3   MIDI: audio control (which only names the next one), MIDI streaming
 *
 * Source: USB 2.0, section 9.6; the Interface Association Descriptor ECN; Class Definitions for
 * Communications Devices 1.2 and PSTN Devices 1.2, section 5.3 of both; Device Class Definition for MIDI
 * Devices 1.0, section 6 and appendix B.
 */
#ifndef USB_DESCRIPTORS_H
#define USB_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { USB_CONSOLE_CONTROL = 0, USB_CONSOLE_DATA = 1, USB_MIDI_CONTROL = 2, USB_MIDI_STREAMING = 3 };
#define USB_N_INTERFACES 4u

#define USB_CONSOLE_NOTIFY 0x81u /* addresses of endpoints */
#define USB_CONSOLE_OUT 0x02u
#define USB_CONSOLE_IN 0x82u
#define USB_MIDI_OUT 0x03u
#define USB_MIDI_IN 0x83u

/* Returns the descriptor of a type and an index, and sets its length; NULL if there is none. A string is made
 * in `buffer`, of 64 bytes. */
const uint8_t *usb_descriptor_find(uint8_t type, uint8_t index, uint8_t *buffer, size_t *n_bytes);

#ifdef __cplusplus
}
#endif

#endif
