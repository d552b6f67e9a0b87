#include "usb/usb_events.h"

#include <string.h>

enum { /* 4, table 4-1: code index numbers; those of channel messages are the upper half of the status byte */
       CODE_RESERVED = 0x1,
       CODE_SYSTEM_2 = 0x2,
       CODE_SYSTEM_3 = 0x3,
       CODE_SYSEX_3 = 0x4, /* starts or goes on */
       CODE_SYSEX_END_1 = 0x5,
       CODE_SYSEX_END_2 = 0x6,
       CODE_SYSEX_END_3 = 0x7,
       CODE_BYTE = 0xF,
};

#define SYSEX 0xF0
#define SYSEX_END 0xF7

/* Returns the length of a message by its status byte, 0x80 to 0xF7; 0 if it is undefined, 3 for a SysEx. */
static uint8_t length_of(uint8_t status) {
    static const uint8_t of_channel[] = {3, 3, 3, 3, 2, 2, 3}; /* 80 to E0 */
    static const uint8_t of_system[] = {3, 2, 3, 2, 0, 0, 1, 1};
    return status < 0xF0 ? of_channel[(status - 0x80) >> 4] : of_system[status & 7u];
}

static bool is_data(uint8_t byte) { return byte < 0x80; }

/* Returns whether the first `n` bytes of a SysEx packet may start or continue one. */
static bool is_sysex(const uint8_t *bytes, int n) {
    bool is_good = n == 0 || bytes[0] == SYSEX || is_data(bytes[0]);
    for (int i = 1; i < n; i++) {
        is_good &= is_data(bytes[i]);
    }
    return is_good;
}

int usb_event_read(const uint8_t packet[USB_EVENT_BYTES]) {
    const uint8_t code = packet[0] & 0x0Fu;
    const uint8_t *const bytes = packet + 1;
    if (code <= CODE_RESERVED) {
        return 0;
    }
    if (packet[0] >> 4 != 0) { /* a cable that the device does not have */
        return -1;
    }
    if (code == CODE_BYTE) {
        return 1;
    }
    if (code == CODE_SYSEX_3) {
        return is_sysex(bytes, 3) ? 3 : -1;
    }
    if (code == CODE_SYSEX_END_1 && bytes[0] != SYSEX_END) { /* also a system message of one byte */
        return bytes[0] > SYSEX && length_of(bytes[0]) == 1 && bytes[0] < 0xF8 ? 1 : -1;
    }
    if (code >= CODE_SYSEX_END_1 && code <= CODE_SYSEX_END_3) {
        const int n = code - CODE_SYSEX_END_1;
        return is_sysex(bytes, n) && bytes[n] == SYSEX_END ? n + 1 : -1;
    }
    const int n = code == CODE_SYSTEM_2 || code == CODE_SYSTEM_3 ? code : length_of((uint8_t)(code << 4));
    const bool is_of_code = code <= CODE_SYSTEM_3
                                ? bytes[0] > SYSEX && bytes[0] < SYSEX_END && length_of(bytes[0]) == n
                                : bytes[0] >> 4 == code;
    return is_of_code && is_data(bytes[1]) && (n == 2 || is_data(bytes[2])) ? n : -1;
}

static bool emit(usb_encoder_t *encoder, uint8_t code, uint8_t packet[USB_EVENT_BYTES]) {
    packet[0] = code;
    for (uint8_t i = 0; i < 3; i++) {
        packet[1 + i] = i < encoder->n_bytes ? encoder->bytes[i] : 0;
    }
    encoder->n_bytes = 0;
    return true;
}

bool usb_encoder_feed(usb_encoder_t *encoder, uint8_t byte, uint8_t packet[USB_EVENT_BYTES]) {
    if (byte >= 0xF8) { /* a real-time message, which may stand within another one */
        const uint8_t event[USB_EVENT_BYTES] = {CODE_BYTE, byte, 0, 0};
        memcpy(packet, event, sizeof event);
        return true;
    }
    if (byte == SYSEX_END && encoder->running == SYSEX) {
        encoder->running = 0;
        encoder->bytes[encoder->n_bytes++] = byte;
        return emit(encoder, (uint8_t)(CODE_SYSEX_3 + encoder->n_bytes), packet);
    }
    if (byte >= 0x80) {
        encoder->running = byte == SYSEX_END || length_of(byte) == 0 ? 0 : byte;
        encoder->bytes[0] = byte;
        encoder->n_bytes = encoder->running != 0;
    } else if (encoder->running != 0) {
        if (encoder->n_bytes == 0 && encoder->running != SYSEX) {
            encoder->bytes[encoder->n_bytes++] = encoder->running;
        }
        encoder->bytes[encoder->n_bytes++] = byte;
    }
    const uint8_t status = encoder->running;
    if (encoder->n_bytes == 0 || encoder->n_bytes < length_of(status)) {
        return false;
    }
    if (status == SYSEX) {
        return emit(encoder, CODE_SYSEX_3, packet);
    }
    if (status < 0xF0) {
        return emit(encoder, status >> 4, packet);
    }
    encoder->running = 0; /* system messages have no running status */
    return emit(encoder, encoder->n_bytes == 1 ? CODE_SYSEX_END_1 : encoder->n_bytes, packet);
}

void usb_encoder_drop_sysex(usb_encoder_t *encoder) {
    if (encoder->running == SYSEX) {
        *encoder = (usb_encoder_t){0};
    }
}
