/* A model of the OTG controller of the STM32 chips as a device of full speed: its registers and FIFOs, and
 * the transactions of a host.
 *
 * It is written from the manuals: RM0090 sections 34.11 to 34.13 (FIFOs), 34.16 (registers) and 34.17
 * (programming model). What they forbid aborts the program: to write a packet to a FIFO without room for it
 * or to an endpoint that is not enabled, to change the size of a transfer that is enabled, to flush the FIFO
 * of such an endpoint, to leave a packet half read, to disable an endpoint that does not NAK.
 */
#ifndef OTG_MODEL_H
#define OTG_MODEL_H

#include "bus.h"

/* Returns to the state after power-on. */
void model_start(void);

/* Returns whether the controller requests its interrupt. */
bool model_requests_interrupt(void);

/* Returns whether the device is attached: its pull-up is on. */
bool model_is_attached(void);

/* What happens on the bus. The interrupt is not handled here. */
void model_reset(void);
void model_end_reset(void);
void model_suspend(void);
handshake_t model_setup(uint8_t address, const uint8_t setup[USB_SETUP_BYTES]);

/* Ends the SETUP stage, as the first token of the next one does, to which the controller answers NAK. */
void model_end_setup(uint8_t address, uint8_t number);
handshake_t model_in(uint8_t address, uint8_t number, uint8_t bytes[USB_PACKET_BYTES], size_t *n_bytes,
                     uint8_t *pid);
handshake_t model_out(uint8_t address, uint8_t number, const uint8_t *bytes, size_t n_bytes, uint8_t pid);

/* Ends the transfers of packets that were received, which takes an entry of the receive FIFO of its own. */
void model_end_out(void);

#endif
