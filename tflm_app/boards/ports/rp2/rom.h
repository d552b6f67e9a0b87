/* The functions in the boot ROM of the Picos. */
#ifndef ROM_H
#define ROM_H

#include <stdint.h>

/* Returns the address of a function by the two letters of its code; 0 if there is none. */
uint32_t rom_function(char first, char second);

#endif
