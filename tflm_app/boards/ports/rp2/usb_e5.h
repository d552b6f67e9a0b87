/* The remedy of erratum RP2040-E5: before stepping B2, the USB device leaves the reset state only after 800
 * us of an idle bus, which it may never see behind a hub with other traffic.
 *
 * So after each bus reset, the input of the controller is GPIO 15 instead of the bus for a millisecond;
 * there, an override makes it read as idle. The pin has no output meanwhile. Later chips leave it alone.
 */
#ifndef USB_E5_H
#define USB_E5_H

#include "registers.h"

#ifdef CHIP_REVISION_B2

/* Prepares the remedy if the chip needs it. */
void usb_e5_start(void);

/* A bus reset has begun. */
void usb_e5_begin(void);

/* The handler of the timer's interrupt; it has the priority of usb_interrupt, so neither interrupts the
 * other. */
void usb_e5_interrupt(void);

#else

static inline void usb_e5_start(void) {}
static inline void usb_e5_begin(void) {}

#endif

#endif
