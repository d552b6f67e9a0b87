/* MIDI and console of the USB device, for the main loop. What it reads and writes becomes packets in the
 * interrupt, which therefore has to occur. */
#include "play_board.h"
#include "usb.h"

usb_device_t board_usb;

static void wake(void) {
    if (board_usb.configuration != 0 || board_usb.ends_notes) {
        usb_pend();
    }
}

size_t board_usb_midi_read(uint8_t *bytes, size_t capacity) {
    const size_t n = usb_device_read_midi(&board_usb, bytes, capacity);
    if (n > 0) {
        wake();
    }
    return n;
}

void board_usb_midi_write(const uint8_t *bytes, size_t n_bytes) {
    for (size_t i = 0; i < n_bytes; i++) {
        usb_device_write_midi(&board_usb, bytes[i]);
    }
    wake();
}

size_t usb_console_read(char *text, size_t capacity) {
    const size_t n = usb_device_read_console(&board_usb, text, capacity);
    if (n > 0) {
        wake();
    }
    return n;
}

void usb_console_write(const char *text, size_t n_bytes) {
    usb_device_write_console(&board_usb, text, n_bytes);
    wake();
}

uint32_t usb_midi_errors(void) { return board_usb.n_errors; }
