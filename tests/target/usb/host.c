/* Executes transactions of a USB host that arrive at the standard input, and answers at the standard output.
 *
 * A transaction is a code, address, endpoint number, toggle, a length and so many bytes. The answer is
 * handshake, toggle, a length and so many bytes. Codes: Reset, Suspend, seTup, In, Out; of the main loop:
 * Midi, Console (reads up to as many bytes as the number says), midI writing (m), console writing (c);
 * Errors; Length of the answer to requests (bus_answer_bytes); Hold the interrupt, if the number is 1.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bus.h"

#define MOST 255

typedef struct {
    uint8_t code, address, number, pid, n_bytes;
    uint8_t bytes[MOST];
} transaction_t;

static void write_answer(handshake_t handshake, uint8_t pid, const uint8_t *bytes, size_t n_bytes) {
    const uint8_t head[] = {(uint8_t)handshake, pid, (uint8_t)n_bytes};
    fwrite(head, 1, sizeof head, stdout);
    fwrite(bytes, 1, n_bytes, stdout);
    fflush(stdout);
}

static void execute(const transaction_t *t) {
    static bool is_held;
    uint8_t bytes[MOST];
    size_t n_bytes = 0;
    uint8_t pid = 0;
    handshake_t handshake = BUS_ACK;
    switch (t->code) {
        case 'R':
            bus_reset();
            break;
        case 'S':
            bus_suspend();
            break;
        case 'T':
            handshake = bus_setup(t->address, t->bytes);
            break;
        case 'I':
            handshake = bus_in(t->address, t->number, bytes, &n_bytes, &pid);
            break;
        case 'O':
            handshake = bus_out(t->address, t->number, t->bytes, t->n_bytes, t->pid);
            break;
        case 'M':
            n_bytes = usb_device_read_midi(&bus_device, bytes, t->number);
            break;
        case 'C':
            n_bytes = usb_device_read_console(&bus_device, (char *)bytes, t->number);
            break;
        case 'm':
            for (size_t i = 0; i < t->n_bytes; i++) {
                usb_device_write_midi(&bus_device, t->bytes[i]);
            }
            break;
        case 'c':
            usb_device_write_console(&bus_device, (const char *)t->bytes, t->n_bytes);
            break;
        case 'E':
            bytes[n_bytes++] = (uint8_t)bus_device.n_errors;
            break;
        case 'H':
            is_held = t->number == 1;
            bus_hold(is_held);
            break;
        case 'L':
            bus_answer_bytes = (size_t)(t->bytes[0] | t->bytes[1] << 8);
            break;
        default:
            abort();
    }
    if (!is_held) { /* otherwise it is a part of the interrupt */
        usb_device_pump(&bus_device);
    }
    write_answer(handshake, pid, bytes, n_bytes);
}

int main(void) {
    transaction_t t;
    bus_start();
    while (fread(&t, 1, 5, stdin) == 5 && fread(t.bytes, 1, t.n_bytes, stdin) == t.n_bytes) {
        execute(&t);
    }
    return 0;
}
