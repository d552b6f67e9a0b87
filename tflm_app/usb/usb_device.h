/* The USB device: a MIDI port and a console beside it, which a host uses without a driver of ours.
 *
 *     controller ── port ──► usb_device_setup, _sent, _received, _reset, _suspend    in its interrupt,
 *                  ◄── usb_port.h ──┤                                                 of low priority
 *     main loop ──► usb_device_read_*, _write_*                                       at any time
 *
 * Nothing waits for the host. MIDI from the host stays in its packets until the main loop has read what came
 * before, so none is lost. What goes to the host is dropped while the host does not read: whole events of
 * MIDI, and pieces of console text, whose place a ~ marks. Without a terminal (DTR), there is no text to
 * send.
 *
 * If the bus is reset, suspended or unplugged, or the host opens the MIDI port again, which drops a packet
 * that waits, MIDI_DAMAGED follows the bytes that were received, so that no note goes on for ever. A reset
 * and opening also drop what waits for the host, with the rest of a SysEx that has begun.
 *
 * State: less than 700 bytes. Cost: a host that sends requests without a pause takes less than 12 % of a core
 * of the RP2040 (tests/target/usb/test_usb_pico.py).
 */
#ifndef USB_DEVICE_H
#define USB_DEVICE_H

#include "usb/usb_control.h"
#include "usb/usb_events.h"
#include "usb/usb_ring.h"

#ifdef __cplusplus
extern "C" {
#endif

#define USB_LINE_CODING_BYTES 7u

/* Caller-owned state, which usb_device_init initializes. */
typedef struct {
    usb_control_t control;
    volatile uint8_t configuration;             /* 1, or 0 until the host selects it */
    uint8_t line_coding[USB_LINE_CODING_BYTES]; /* of the console; without effect */
    volatile bool is_open;                      /* a terminal is connected: DTR */
    volatile bool has_lost_text;                /* since the last text that was put into the ring */
    bool may_sound;                             /* MIDI was received since the last MIDI_DAMAGED */
    volatile bool ends_notes;                   /* the next MIDI_DAMAGED is due */
    uint32_t busy, halted;                      /* one bit per endpoint */
    volatile uint32_t n_errors;                 /* malformed event packets */
    volatile bool begins_stream; /* the main loop is to reset the encoder before the next byte */
    usb_encoder_t encoder;
    usb_ring_t midi_from_host, midi_to_host, text_from_host, text_to_host;
} usb_device_t;

void usb_device_init(usb_device_t *usb);

/* --- what the port reports, in its interrupt -------------------------------------------------------- */

void usb_device_reset(usb_device_t *usb);
void usb_device_suspend(usb_device_t *usb);
void usb_device_setup(usb_device_t *usb, const uint8_t setup[USB_SETUP_BYTES]);
void usb_device_sent(usb_device_t *usb, uint8_t endpoint);
void usb_device_received(usb_device_t *usb, uint8_t endpoint, const uint8_t *bytes, size_t n_bytes);

/* Starts the packets that the rings allow. Call it at the end of the interrupt, and have the interrupt occur
 * after the main loop has read or written. */
void usb_device_pump(usb_device_t *usb);

/* --- what the main loop reads and writes ------------------------------------------------------------ */

/* Return up to `capacity` bytes that have arrived, and their number. */
size_t usb_device_read_midi(usb_device_t *usb, uint8_t *bytes, size_t capacity);
size_t usb_device_read_console(usb_device_t *usb, char *text, size_t capacity);

/* Sends a byte of a MIDI stream; MIDI_DAMAGED ends the message before it. */
void usb_device_write_midi(usb_device_t *usb, uint8_t byte);

/* Sends text; a piece of more than USB_RING_BYTES never fits as a whole. */
void usb_device_write_console(usb_device_t *usb, const char *text, size_t n_bytes);

#ifdef __cplusplus
}
#endif

#endif
