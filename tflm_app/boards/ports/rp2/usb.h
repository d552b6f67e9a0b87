/* The USB device of the Picos: MIDI and a console (usb/usb_device.h) at their controller. Without BOARD_USB
 * there is none. */
#ifndef RP2_USB_H
#define RP2_USB_H

#include <stddef.h>
#include <stdint.h>

#ifdef BOARD_USB

/* Connects to the host; without the 48 MHz clock there is no USB. */
void usb_start(void);

/* The handler of IRQ_USBCTRL. */
void usb_interrupt(void);

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
