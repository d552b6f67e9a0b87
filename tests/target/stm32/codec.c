/* Runs the codec driver of the Discovery on the host, with a simulated I2C that takes time and a codec behind
 * it.
 *
 *     codec WHICH
 *
 * WHICH: "there", "absent" (no address is acknowledged) or "mute" (the bus never starts). Prints two numbers
 * for each codec register that was written, then "answers" and 1 or 0. Also prints "early" if CR1 was written
 * before a stop was done, and "reset" if a byte was sent while the reset pin was low.
 */
#include <stdio.h>
#include <string.h>

#include "boards/stm32f4_discovery/codec.c"

#include "../fake_registers.h"

#define NOTHING 0xFFFFu /* has been written to DR since it was last read */

static const char *which;
static uint32_t n_bytes, stopping, cycles;
static uint8_t bytes[3];

clocks_t clocks = {168000000u, 42000000u, 84000000u, 42000000u, 84000000u};

uint32_t board_cycles(void) { return cycles += 100; }

static void take_byte(uint32_t byte, uint32_t *status) {
    if ((*content(CHIP_GPIO + 0x400u * 3 + 0x18u) >> 4 & 1u) == 0) {
        puts("reset");
    }
    *status &= ~(uint32_t)(STARTED | SENT);
    if (n_bytes == sizeof bytes || (n_bytes == 0 && (strcmp(which, "absent") == 0 || byte != 0x94u))) {
        return;
    }
    bytes[n_bytes++] = (uint8_t)byte;
    *status |= n_bytes == 1 ? (uint32_t)ADDRESSED : (uint32_t)SENT;
}

volatile uint32_t *fake_register(uintptr_t address) {
    uint32_t *const control = content(I2C1_CR1_ADDRESS), *const status = content(I2C1_SR1_ADDRESS);
    uint32_t *const data = content(I2C1_BASE + 0x10u);
    if (stopping > 0) {
        if ((*control & I2C_STOP) == 0) {
            puts("early");
        } else if (address == I2C1_CR1_ADDRESS && --stopping == 0) {
            *control &= ~(uint32_t)I2C_STOP;
        }
    } else if (*control & I2C_STOP) {
        if (n_bytes == 3) {
            printf("%u %u\n", bytes[1], bytes[2]);
        }
        n_bytes = 0;
        stopping = 5;
    }
    if (address == I2C1_SR1_ADDRESS) {
        if ((*control & I2C_START) != 0 && strcmp(which, "mute") != 0) {
            *control &= ~(uint32_t)I2C_START;
            *status |= STARTED;
            *data = NOTHING;
        } else if (*data != NOTHING) {
            take_byte(*data, status);
            *data = NOTHING;
        }
    } else if (address == I2C1_BASE + 0x18u) {
        *status &= ~(uint32_t)ADDRESSED;
    }
    return content(address);
}

int main(int argc, char **argv) {
    which = argc > 1 ? argv[1] : "";
    *content(I2C1_BASE + 0x10u) = NOTHING;
    printf("answers %d\n", codec_start());
    return 0;
}
