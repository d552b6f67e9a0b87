/* The registers of the OTG controller as a device of full speed, by their offsets from CHIP_OTG; chip.h has
 * what differs between the chips. Endpoints are given by their number.
 *
 * Sources: RM0090 section 34.16 (OTG_FS); RM0433 chapter 57 (OTG_HS, of which OTG_HS2 has the pins of
 * OTG_FS). Both use these names, with OTG_FS_ before them in RM0090 and OTG_ in RM0433.
 */
#ifndef OTG_H
#define OTG_H

#include "chip.h"

#ifdef FAKE_REGISTERS /* tests on the host replace the controller by a model */
uint32_t otg_read(uint32_t offset);
void otg_write(uint32_t offset, uint32_t value);
#else
static inline uint32_t otg_read(uint32_t offset) { return REGISTER(CHIP_OTG + offset); }

static inline void otg_write(uint32_t offset, uint32_t value) { REGISTER(CHIP_OTG + offset) = value; }
#endif

static inline void otg_set(uint32_t offset, uint32_t bits) { otg_write(offset, otg_read(offset) | bits); }

static inline void otg_clear(uint32_t offset, uint32_t bits) { otg_write(offset, otg_read(offset) & ~bits); }

/* --- global registers (34.16.2) ----------------------------------------------------------------------- */

#define OTG_GOTGCTL 0x000u
#define OTG_GAHBCFG 0x008u
#define OTG_GAHBCFG_INTERRUPTS 1u /* GINT */
#define OTG_GUSBCFG 0x00Cu
#define OTG_GUSBCFG_FULL_SPEED (1u << 6)    /* PHYSEL; always set in the F407 */
#define OTG_GUSBCFG_TURNAROUND (6u << 10)   /* TRDT, for an AHB clock of 32 MHz and more */
#define OTG_GUSBCFG_FORCE_DEVICE (1u << 30) /* FDMOD */
#define OTG_GRSTCTL 0x010u
#define OTG_GRSTCTL_RESET (1u << 0) /* CSRST; this and the next one clear themselves */
#define OTG_GRSTCTL_FLUSH_TX(number) (1u << 5 | (number) << 6) /* TXFFLSH, TXFNUM */
#define OTG_GRSTCTL_TX (1u << 5)
#define OTG_GRSTCTL_IDLE (1u << 31) /* AHBIDL */
#define OTG_GINTSTS 0x014u          /* a written 1 clears all but the levels */
#define OTG_GINTMSK 0x018u
#define OTG_GINTSTS_HOST (1u << 0)  /* CMOD */
#define OTG_GINT_RECEIVED (1u << 4) /* RXFLVL, a level: the receive FIFO is not empty */
#define OTG_GINT_SUSPEND (1u << 11) /* USBSUSP */
#define OTG_GINT_RESET (1u << 12)   /* USBRST */
#define OTG_GINT_SENT (1u << 18)    /* IEPINT, a level */
#define OTG_GRXSTSP 0x020u          /* takes the next entry out of the receive FIFO */
#define OTG_GRXSTSP_NUMBER(status) ((status)&0xFu)
#define OTG_GRXSTSP_BYTES(status) ((status) >> 4 & 0x7FFu)
#define OTG_GRXSTSP_KIND(status) ((status) >> 17 & 0xFu)
enum { OTG_OUT_PACKET = 2, OTG_OUT_DONE = 3, OTG_SETUP_DONE = 4, OTG_SETUP_PACKET = 6 }; /* PKTSTS */
#define OTG_GRXFSIZ 0x024u
#define OTG_DIEPTXF(number) ((number) == 0 ? 0x028u : 0x100u + 4u * (number)) /* that of 0 is DIEPTXF0 */
#define OTG_GCCFG 0x038u
#define OTG_GCCFG_TRANSCEIVER (1u << 16) /* PWRDWN: it is on */

/* --- device registers (34.16.4) ----------------------------------------------------------------------- */

#define OTG_DCFG 0x800u
#define OTG_DCFG_FULL_SPEED 3u /* DSPD, with the internal transceiver */
#define OTG_DCFG_ADDRESS 4
#define OTG_DCFG_ADDRESS_MASK (0x7Fu << OTG_DCFG_ADDRESS) /* DAD */
#define OTG_DCTL 0x804u
#define OTG_DCTL_DETACHED (1u << 1) /* SDIS */
#define OTG_DIEPMSK 0x810u
#define OTG_DAINTMSK 0x81Cu
#define OTG_DAINTMSK_IN(n_numbers) ((1u << (n_numbers)) - 1u)

#define OTG_DIEPCTL(number) (0x900u + 0x20u * (number))
#define OTG_DOEPCTL(number) (0xB00u + 0x20u * (number))
#define OTG_EPCTL_BYTES 64u         /* MPSIZ; that of endpoint 0 is coded, and 0 is 64 bytes */
#define OTG_EPCTL_ACTIVE (1u << 15) /* USBAEP */
#define OTG_EPCTL_TYPE 18           /* EPTYP, as in bmAttributes */
#define OTG_EPCTL_STALL (1u << 21)
#define OTG_DIEPCTL_FIFO 22          /* TXFNUM */
#define OTG_EPCTL_ACCEPT (1u << 26)  /* CNAK */
#define OTG_EPCTL_NAK (1u << 27)     /* SNAK */
#define OTG_EPCTL_DATA0 (1u << 28)   /* SD0PID */
#define OTG_EPCTL_DISABLE (1u << 30) /* EPDIS */
#define OTG_EPCTL_ENABLE (1u << 31)  /* EPENA; the core clears it */

#define OTG_DIEPINT(number) (0x908u + 0x20u * (number)) /* a written 1 clears a bit */
#define OTG_DOEPINT(number) (0xB08u + 0x20u * (number))
#define OTG_DIEPINT_SENT (1u << 0)     /* XFRC */
#define OTG_DIEPINT_DISABLED (1u << 1) /* EPDISD */
#define OTG_DIEPINT_NAKS (1u << 6)     /* INEPNE */
#define OTG_DOEPINT_RECEIVED (1u << 0) /* XFRC */
#define OTG_DOEPINT_SETUP (1u << 3)    /* STUP: the SETUP stage is over */

#define OTG_DIEPTSIZ(number) (0x910u + 0x20u * (number))
#define OTG_DOEPTSIZ(number) (0xB10u + 0x20u * (number))
#define OTG_EPTSIZ_PACKET(n_bytes) (1u << 19 | (n_bytes)) /* PKTCNT, XFRSIZ */
#define OTG_DOEPTSIZ0_SETUPS (3u << 29)                   /* STUPCNT: back to back */

/* --- power and clock gating (34.16.5), FIFOs (34.16.1) -------------------------------------------------- */

#define OTG_PCGCCTL 0xE00u
#define OTG_FIFO(number) (0x1000u * ((number) + 1u)) /* reading it takes a word of the receive FIFO */

#endif
