/* The hook for a second core: what a port with two cores provides to the player, which then renders half of
 * the voices of each block there (PLAYER_N_CORES 2). A port with one core provides nothing.
 *
 * boards/ports/rp2/ implements it for the Picos; boards/ports/hosted/ imitates it on one core.
 */
#ifndef SECOND_CORE_H
#define SECOND_CORE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Starts `run(argument)` on the second core, which must be idle. It sees everything that was written before.
 */
void second_core_start(void (*run)(void *argument), void *argument);

/* Waits until that has returned; then everything that it wrote is visible here. */
void second_core_wait(void);

/* Returns the number of blocks that began to play while the first core waited for the second. */
uint32_t second_core_n_late(void);

#ifdef __cplusplus
}
#endif

#endif
