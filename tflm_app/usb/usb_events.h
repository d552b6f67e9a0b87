/* MIDI bytes to and from the event packets of USB, which hold four bytes: cable and kind, then a message.
 *
 * A SysEx of any length passes in packets of three bytes. Both directions use cable 0 alone.
 *
 * Source: Universal Serial Bus Device Class Definition for MIDI Devices 1.0, section 4. State: 5 bytes.
 */
#ifndef USB_EVENTS_H
#define USB_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define USB_EVENT_BYTES 4u

/* Reads an event packet; returns the number of MIDI bytes that follow its first byte: 1 to 3, 0 if it is
 * padding or reserved (kinds 0 and 1), -1 if its bytes contradict its kind or it is of another cable. */
int usb_event_read(const uint8_t packet[USB_EVENT_BYTES]);

/* Caller-owned state of a stream of MIDI bytes. All zero is the initial state. */
typedef struct {
    uint8_t bytes[3];
    uint8_t n_bytes;
    uint8_t running; /* status of a channel message that further data bytes may follow */
} usb_encoder_t;

/* Takes the next byte of a stream; returns true and fills `packet` if it completes an event. Running status
 * is resolved. A message that is cut short and data bytes without a status are dropped, and so is an
 * undefined status (F4, F5), which ends the message before it. */
bool usb_encoder_feed(usb_encoder_t *encoder, uint8_t byte, uint8_t packet[USB_EVENT_BYTES]);

/* Drops the rest of a SysEx whose beginning the host has lost. Channel messages and running status go on. */
void usb_encoder_drop_sysex(usb_encoder_t *encoder);

#ifdef __cplusplus
}
#endif

#endif
