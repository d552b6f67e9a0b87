/* The semihosting calls that the emulated boards use.
 *
 * Source: Arm, "Semihosting for AArch32 and AArch64", operations SYS_OPEN to SYS_EXIT_EXTENDED. A core of the
 * M profile traps with BKPT 0xAB: r0 holds the operation, r1 points to its parameter block, and r0 returns
 * the result.
 */
#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stdint.h>

enum {
    SEMIHOSTING_OPEN = 0x01,          /* {path, mode, path length} -> handle or -1 */
    SEMIHOSTING_CLOSE = 0x02,         /* {handle} -> 0 or -1 */
    SEMIHOSTING_WRITE0 = 0x04,        /* text that ends with a zero */
    SEMIHOSTING_WRITE = 0x05,         /* {handle, data, size} -> bytes NOT written */
    SEMIHOSTING_READ = 0x06,          /* {handle, data, size} -> bytes NOT read */
    SEMIHOSTING_GET_CMDLINE = 0x15,   /* {buffer, capacity} -> 0 or -1, buffer filled */
    SEMIHOSTING_EXIT_EXTENDED = 0x20, /* {reason, status} */

    SEMIHOSTING_APPLICATION_EXIT = 0x20026, /* ADP_Stopped_ApplicationExit */
    SEMIHOSTING_MODE_RB = 1,
    SEMIHOSTING_MODE_WB = 5,
};

static inline uintptr_t semihosting_call(uintptr_t operation, const void *parameters) {
    register uintptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameters;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

#endif
