/* The port of the RP2040 above plain memory at the addresses of the controller: a SETUP packet arrives, and
 * the last packet of the transfer before is sent after the interrupt has read its causes.
 *
 * BUFF_STATUS clears the bits that are written. The interrupt does not read it here, so that its cell, 0
 * before, holds what was written to it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#pragma GCC diagnostic ignored "-Wint-to-pointer-cast" /* addresses of 32 bits */

#include "registers.h"
#undef USB_SIE_STATUS_SETUP_REC
#define USB_SIE_STATUS_SETUP_REC 0u /* memory keeps a bit that is written to clear it */
#include "usb.c"

static void check(bool is_true) {
    if (!is_true) {
        abort();
    }
}

bool clocks_start_usb(void) { return true; }

bool clocks_release(uint32_t bits) { return bits != 0; }

static void map(uintptr_t address, size_t n_bytes) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    check(mmap((void *)address, n_bytes, PROT_READ | PROT_WRITE, flags, -1, 0) == (void *)address);
}

/* Has the interrupt occur for a SETUP packet. */
static void setup(const uint8_t bytes[USB_SETUP_BYTES]) {
    memcpy((void *)(uintptr_t)USB_DPRAM_BASE, bytes, USB_SETUP_BYTES);
    REGISTER(USB_INTS) = USB_INT_SETUP_REQ;
    REGISTER(USB_BUFF_STATUS) = 0;
    usb_interrupt();
}

int main(void) {
    static const uint8_t get_descriptor[] = {0x80, 6, 0, 1, 0, 0, 18, 0},
                         set_address[] = {0, 5, 7, 0, 0, 0, 0, 0};
    map(0x50100000, 0x1000); /* the memory of the controller */
    map(0x50110000, 0x4000); /* its registers */
    map(0xE000E000, 0x1000); /* the interrupts */
    map(0x4000C000, 0x8000); /* the resets */
    usb_start();
    setup(get_descriptor);
    check((REGISTER(USB_BUFFER_CONTROL(0, 0)) & USB_BUFFER_AVAILABLE) != 0);
    setup(set_address);
    const uint32_t status = 1u & ~REGISTER(USB_BUFF_STATUS); /* the descriptor was sent meanwhile */
    REGISTER(USB_INTS) = status != 0 ? USB_INT_BUFF_STATUS : 0;
    REGISTER(USB_BUFF_STATUS) = status;
    usb_interrupt();
    check((REGISTER(USB_BUFFER_CONTROL(0, 0)) & USB_BUFFER_AVAILABLE) != 0); /* the status stage waits */
    check(REGISTER(USB_ADDR_ENDP) == 0);                                     /* and the address with it */
    REGISTER(USB_INTS) = USB_INT_BUFF_STATUS;
    REGISTER(USB_BUFF_STATUS) = 1;
    usb_interrupt();
    check(REGISTER(USB_ADDR_ENDP) == 7);
    return 0;
}
