/* The time that a second core would have saved; between second_core.c and play_board.c. */
#ifndef SECOND_CORE_TIME_H
#define SECOND_CORE_TIME_H

#include <stdint.h>

/* Returns the instructions, modulo 2^32, during which both cores would have worked; 0 if one core plays. */
uint32_t second_core_shared_time(void);

#endif
