/* The USB device of a board: MIDI and a console (usb/usb_device.h), with the main loop's side of both, which
 * the ports share. The port of a chip adds the driver, usb.c. Without BOARD_USB there is none. */
#ifndef BOARD_USB_H
#define BOARD_USB_H

#include <stddef.h>
#include <stdint.h>

#ifdef BOARD_USB

#include "usb/usb_device.h"

extern usb_device_t board_usb;

/* --- implemented by the port ------------------------------------------------------------------------- */

/* Connects to the host; without the 48 MHz clock there is no USB. */
void usb_start(void);

/* The handler of the controller's interrupt, in which all of the device runs. */
void usb_interrupt(void);

/* Makes the interrupt occur. */
void usb_pend(void);

/* --- for the board ----------------------------------------------------------------------------------- */

/* Those of play_board.h, for the USB alone. */
size_t usb_console_read(char *text, size_t capacity);
void usb_console_write(const char *text, size_t n_bytes);
uint32_t usb_midi_errors(void);

#else

static inline void usb_start(void) {}
static inline size_t usb_console_read(char *text, size_t capacity) {
    (void)text;
    (void)capacity;
    return 0;
}
static inline void usb_console_write(const char *text, size_t n_bytes) {
    (void)text;
    (void)n_bytes;
}
static inline uint32_t usb_midi_errors(void) { return 0; }

#endif

#endif
