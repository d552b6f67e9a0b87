/* Erratum RP2040-E5: the port of the Picos above plain memory at the addresses of the chip, with a model of
 * what the controller sees of the bus and of the timer, in steps of a microsecond.
 *
 * Before stepping B2, the controller is ready after a bus reset once its input was J for 800 us, which never
 * happens on a busy bus. The arguments are the revision that the chip reports, and whether it has the
 * erratum. Where no remedy is needed, GPIO 15 and the timer are not mapped, so that any access ends the
 * program.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#pragma GCC diagnostic ignored "-Wint-to-pointer-cast" /* addresses of 32 bits */

#include "usb.c"
#include "usb_e5.c"

enum { SE0 = 0, J = 1, K = 2 };
enum {
    IDLE_US = 800,
    RECOVERY_US = 10000, /* USB 2.0, section 7.1.7.5: TRSTRCY */
    READY_US = 4000,     /* a part of it, with a poll that meets the end of a packet, which is SE0, too */
    POLL_US = 1000,
};

static void check(bool is_true) {
    if (!is_true) {
        abort();
    }
}

bool clocks_start_usb(void) { return true; }
bool clocks_release(uint32_t bits) { return bits != 0; }
uint32_t clocks_core_hz(void) { return 125000000; }
uint32_t clocks_reference_hz(void) { return 12000000; }

static void map(uintptr_t address, size_t n_bytes) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    check(mmap((void *)address, n_bytes, PROT_READ | PROT_WRITE, flags, -1, 0) == (void *)address);
}

/* --- the pin and the timer ---------------------------------------------------------------------------- */

#define MUXING REGISTER(0x50110074)
#define PHY_DIRECT REGISTER(0x5011007C)
#define PHY_OVERRIDE REGISTER(0x50110080)
#define FROM_BUS 9u  /* MUXING: SOFTCON, TO_PHY */
#define FROM_PIN 12u /* SOFTCON, TO_DIGITAL_PAD */

static bool has_erratum, has_remedy;
static uint32_t now, n_forced; /* microseconds */

static bool is_idle_forced(void) { return MUXING == FROM_PIN; }

#ifdef CHIP_REVISION_B2
#define PIN REGISTER(0x4001407C)   /* GPIO15_CTRL */
#define PAD REGISTER(0x4001C040)   /* PADS_BANK0: GPIO15 */
#define ALARM REGISTER(0x40054010) /* ALARM0: 0 unless it was just written */
#define TIME REGISTER(0x40054028)  /* TIMERAWL */
#define INTR REGISTER(0x40054034)

static bool is_armed, is_alarm_pending, is_alarm_held;
static uint32_t alarm_at, pin_before, pad_before;

static void map_timer_and_pin(void) {
    map(TIMER_BASE, 0x1000);
    map(WATCHDOG_BASE, 0x1000);
    map(IO_BANK0_BASE, 0x1000);
    map(PADS_BANK0_BASE, 0x1000);
}

static void set_pin(uint32_t pin, uint32_t pad) {
    PIN = pin_before = pin;
    PAD = pad_before = pad;
}

static void note_alarm(void) {
    if (has_remedy && ALARM != 0) {
        is_armed = true;
        alarm_at = ALARM;
        ALARM = 0;
    }
}

static void check_pin(void) {
    if (is_idle_forced()) {
        check(PIN == (8u | 2u << 12 | 3u << 16)); /* DP of the USB, no output, input 1 */
        check(PAD == (pad_before | 3u << 2));     /* both pulls keep the level */
        check(PHY_DIRECT == 1u << 1 && PHY_OVERRIDE == 1u << 2);
    } else {
        check(MUXING == FROM_BUS && PHY_DIRECT == 0 && PHY_OVERRIDE == 0);
        check(PIN == pin_before && PAD == pad_before);
    }
}

static void step_timer(void) {
    if (!has_remedy) {
        check(MUXING == FROM_BUS && PHY_DIRECT == 0 && PHY_OVERRIDE == 0);
        return;
    }
    if (is_armed && now == alarm_at) {
        is_armed = false;
        is_alarm_pending = true;
    }
    if (is_alarm_pending && !is_alarm_held) {
        is_alarm_pending = false;
        usb_e5_interrupt();
        check(INTR == 1);
        INTR = 0;
        note_alarm();
    }
    check_pin();
}

static void set_time(void) {
    if (has_remedy) {
        TIME = now;
    }
}
#else
static void note_alarm(void) {}
static void step_timer(void) { check(MUXING == FROM_BUS && PHY_DIRECT == 0 && PHY_OVERRIDE == 0); }
static void set_time(void) {}
#endif

/* --- the controller ---------------------------------------------------------------------------------- */

static bool is_connected, is_reset_pending;
static uint32_t n_idle, n_se0; /* microseconds */

static bool has_pullup(void) {
    const bool is_on = (REGISTER(USB_SIE_CTRL + SET_BITS) & 1u << 16) != 0; /* PULLUP_EN */
    return is_idle_forced() ? (PHY_OVERRIDE & PHY_DIRECT << 1 & 1u << 2) != 0 : is_on;
}

/* One microsecond with the bus in this state. */
static void step(uint32_t bus) {
    const uint32_t line = is_idle_forced() ? J : bus;
    now++;
    set_time();
    n_forced += is_idle_forced();
    n_idle = line == J ? n_idle + 1 : 0;
    n_se0 = line == SE0 ? n_se0 + 1 : 0;
    if (n_se0 == 3) { /* USB 2.0, section 7.1.7.5: a reset is detected after 2.5 us */
        is_connected = false;
        is_reset_pending = true;
    }
    is_connected = is_connected || (has_erratum ? n_idle >= IDLE_US : n_se0 == 0);
    REGISTER(USB_SIE_STATUS) = line << 2 | (is_connected ? 1u << 16 : 0);
    if (is_reset_pending) {
        is_reset_pending = false;
        REGISTER(USB_INTS) = USB_INT_BUS_RESET;
        usb_interrupt();
        REGISTER(USB_SIE_STATUS) = line << 2;
        note_alarm();
    }
    step_timer();
    check(has_pullup());
}

static void hold(uint32_t bus, uint32_t n_us) {
    for (uint32_t n = 0; n < n_us; n++) {
        step(bus);
    }
}

static void be_idle(uint32_t n_us) { hold(J, n_us); }

/* Packets without a pause. */
static void be_busy(uint32_t n_us) {
    for (uint32_t n = 0; n < n_us; n++) {
        step(n % 50 == 49 ? SE0 : n % 2 == 0 ? J : K);
    }
}

/* --- what happens on the bus -------------------------------------------------------------------------- */

/* Resets that end at any moment between two polls, and short and long ones. */
static void check_resets(void (*follow)(uint32_t n_us)) {
    for (uint32_t n = 0; n < 30; n++) {
        const uint32_t n_us = n == 0 ? 10 : n == 1 ? 300000 : 10000 + n * (POLL_US / 30);
        n_forced = 0;
        hold(SE0, n_us);
        check(!is_connected && n_forced == 0);
        follow(READY_US);
        check(is_connected && !is_idle_forced());
        check(has_remedy ? n_forced > IDLE_US && n_forced <= POLL_US : n_forced == 0);
        follow(RECOVERY_US);
        check(is_connected && !is_idle_forced());
    }
}

#ifdef CHIP_REVISION_B2
static void wait_until_forced(void) {
    hold(SE0, 10000);
    for (uint32_t n = 0; !is_idle_forced(); n++) {
        check(n < POLL_US + 1);
        step(K);
    }
}

/* Which cannot be seen before the bus is connected again. */
static void check_reset_while_idle_is_forced(void) {
    for (uint32_t n_us = 1; n_us < POLL_US; n_us += 111) {
        wait_until_forced();
        be_busy(n_us);
        hold(SE0, 10000);
        check(!is_connected && !is_idle_forced());
        be_busy(READY_US);
        check(is_connected && !is_idle_forced());
    }
}

static void check_two_resets_within_a_poll(void) {
    hold(SE0, 700);
    hold(K, 100);
    hold(SE0, 700);
    check(!is_connected && !is_idle_forced());
    be_busy(READY_US);
    check(is_connected && !is_idle_forced());
}

/* Sound and UARTs delay the alarm's handler. That of a further reset may then come first: the alarm, which is
 * still pending, must not end what begins anew. */
static void check_late_handlers(void) {
    for (int has_reset = 0; has_reset < 2; has_reset++) {
        wait_until_forced();
        is_alarm_held = true;
        be_busy(2 * POLL_US);
        check(is_alarm_pending && is_idle_forced());
        is_reset_pending = has_reset;
        step(K);
        check(is_idle_forced() == !has_reset);
        is_connected = !has_reset;
        is_alarm_held = false;
        be_busy(READY_US);
        check(is_connected && !is_idle_forced());
    }
}

static void check_detach(void) {
    wait_until_forced();
    hold(J, POLL_US); /* the pull-up of the device */
    check(!is_idle_forced());
    n_forced = 0;
    hold(J, 100000);
    check(n_forced == 0);
}

/* The pin as after a reset, and as other code might have left it. */
static void check_remedy(void) {
    static const uint32_t pins[][2] = {{0x1F, 0x56}, {0x05, 0x72}, {0x30003305, 0x8B}};
    for (size_t i = 0; i < sizeof pins / sizeof pins[0]; i++) {
        set_pin(pins[i][0], pins[i][1]);
        n_forced = 0;
        be_busy(RECOVERY_US);
        check(n_forced == 0);
        check_resets(be_busy);
        check_resets(be_idle);
    }
    now = UINT32_MAX - 11500; /* the timer overflows between two steps */
    check_resets(be_busy);
    check_reset_while_idle_is_forced();
    check_two_resets_within_a_poll();
    check_late_handlers();
    check_detach();
}
#endif

/* The model, with a driver that takes the chip for a later one. */
static void check_erratum(void) {
    hold(SE0, 10000);
    be_busy(100000);
    check(!is_connected);
    hold(J, IDLE_US);
    check(is_connected);
}

int main(int n_arguments, char **arguments) {
    check(n_arguments == 3);
    const uint32_t revision = (uint32_t)atoi(arguments[1]);
    has_erratum = atoi(arguments[2]) != 0;
    map(USB_DPRAM_BASE, 0x1000);
    map(USB_BASE, 0x4000);
    map(0xE000E000, 0x1000);
    map(RESETS_BASE & ~0xFFFu, 0x4000);
    map(SYSINFO_BASE, 0x1000);
    REGISTER(SYSINFO_BASE) = revision << 28 | 0x2927;
#ifdef CHIP_REVISION_B2
    has_remedy = revision < 2;
    if (has_remedy) {
        map_timer_and_pin();
        usb_start();
        check_remedy();
        return 0;
    }
#endif
    usb_start();
    if (has_erratum) {
        check_erratum();
    } else {
        check_resets(be_busy);
        check_resets(be_idle);
    }
    return 0;
}
