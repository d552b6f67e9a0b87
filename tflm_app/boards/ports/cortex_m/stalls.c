/* Sources: Armv7-M Architecture Reference Manual (DDI 0403), sections B3.2.4 (ICSR), B3.2.5 (VTOR), B3.3
 * (SysTick), C1.6.5 (DEMCR) and C1.8.4 to C1.8.13 (DWT); Armv8-M Architecture Reference Manual (DDI 0553),
 * sections B13.1 and D1.2, where the registers have the same names and places.
 */
#include "stalls.h"

#include <string.h>

#if defined(__ARM_ARCH_6M__)

#define NO_COUNTER "Armv6-M ARM C1.8: none"

const selftest_stall_counters_t *stalls_counters(void) {
    static const selftest_stall_counters_t counters = {
        .sections = {NO_COUNTER, NO_COUNTER, NO_COUNTER, NO_COUNTER, NO_COUNTER}};
    return &counters;
}

#else

#include "reset.h"

#ifdef FAKE_COUNTERS /* a test replaces the registers of the DWT, which the emulator lacks */
volatile uint32_t *fake_register(uintptr_t address);
#define DWT_REGISTER(address) (*fake_register(address))
#else
#define DWT_REGISTER(address) CORTEX_M_REGISTER(address)
#endif

#define DEMCR DWT_REGISTER(0xE000EDFCu)
#define DEMCR_TRACE (1u << 24)
#define DWT_CTRL DWT_REGISTER(0xE0001000u)
#define DWT_CTRL_CYCLES 1u
#define DWT_CTRL_STALLS (31u << 17) /* CPIEVTENA to FOLDEVTENA: each also makes its counter count */
#define DWT_CTRL_MISSING (3u << 24) /* NOPRFCNT, NOCYCCNT */
#define DWT_CYCCNT DWT_REGISTER(0xE0001004u)
#define DWT_STALLS(i) DWT_REGISTER(0xE0001008u + 4u * (i)) /* CPICNT, EXCCNT, SLEEPCNT, LSUCNT, FOLDCNT */
#define DWT_LAR DWT_REGISTER(0xE0001FB0u)                  /* the DWT of the M7 is locked after reset */
#define DWT_UNLOCK 0xC5ACCE55u
#define LONGEST_CYCLES 255u

#define SYST_CSR CORTEX_M_REGISTER(0xE000E010u)
#define SYST_RVR CORTEX_M_REGISTER(0xE000E014u)
#define SYST_CVR CORTEX_M_REGISTER(0xE000E018u)
#define SYST_CSR_RUN 7u /* counts the core clock, with its interrupt */
#define ICSR CORTEX_M_REGISTER(0xE000ED04u)
#define ICSR_CLEAR_SYSTICK (1u << 25)
#define VTOR CORTEX_M_REGISTER(0xE000ED08u)
#define SYSTICK 15
#define PERIOD_CYCLES 128u

#define N_VECTORS \
    256u /* the most that VTOR covers with this alignment; the table of the board may be shorter */
static uintptr_t vectors[N_VECTORS] __attribute__((aligned(1024)));
static uint32_t board_vectors, board_period, board_control;

static uint32_t last_cycles;
static uint8_t last[N_STALLS];
static selftest_stalls_t counted;

static void begin_stretch(void) {
    last_cycles = DWT_CYCCNT;
    for (uint32_t i = 0; i < N_STALLS; i++) {
        last[i] = (uint8_t)DWT_STALLS(i);
    }
}

static void end_stretch(void) {
    for (uint32_t i = 0; i < N_STALLS; i++) {
        counted.counts[i] += (uint8_t)(DWT_STALLS(i) - last[i]);
    }
    const uint32_t cycles = DWT_CYCCNT - last_cycles;
    counted.cycles += cycles;
    counted.n_stretches++;
    counted.n_long += cycles > LONGEST_CYCLES;
}

/* The handler of SysTick, whose period begins anew when it ends, so that it never interrupts at once. */
static void sample(void) {
    end_stretch();
    SYST_CVR = 0;
    ICSR = ICSR_CLEAR_SYSTICK;
    begin_stretch();
}

static void begin(void) {
    board_vectors = VTOR;
    board_period = SYST_RVR;
    board_control = SYST_CSR;
    memcpy(vectors, (const void *)(uintptr_t)board_vectors, sizeof vectors);
    vectors[SYSTICK] = (uintptr_t)sample;
    memset(&counted, 0, sizeof counted);
    __asm__ volatile("cpsid i" ::: "memory");
    VTOR = (uint32_t)(uintptr_t)vectors;
    SYST_RVR = PERIOD_CYCLES - 1u;
    SYST_CVR = 0;
    SYST_CSR = SYST_CSR_RUN;
    ICSR = ICSR_CLEAR_SYSTICK;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    begin_stretch();
    __asm__ volatile("cpsie i" ::: "memory");
}

static void end(selftest_stalls_t *sums) {
    __asm__ volatile("cpsid i" ::: "memory");
    end_stretch();
    SYST_CSR = 0;
    SYST_RVR = board_period;
    SYST_CVR = 0;
    VTOR = board_vectors;
    SYST_CSR = board_control & SYST_CSR_RUN;
    ICSR = ICSR_CLEAR_SYSTICK;
    __asm__ volatile("dsb\n\tisb\n\tcpsie i" ::: "memory");
    sums->cycles += counted.cycles;
    sums->n_stretches += counted.n_stretches;
    sums->n_long += counted.n_long;
    for (uint32_t i = 0; i < N_STALLS; i++) {
        sums->counts[i] += counted.counts[i];
    }
}

/* The counters are there if the DWT says so and counts cycles: an emulator without it reads zeros. */
static bool start(void) {
    DEMCR |= DEMCR_TRACE;
    DWT_LAR = DWT_UNLOCK;
    DWT_CTRL |= DWT_CTRL_CYCLES | DWT_CTRL_STALLS;
    const uint32_t before = DWT_CYCCNT;
    __asm__ volatile("nop\n\tnop\n\tnop\n\tnop");
    return (DWT_CTRL & DWT_CTRL_MISSING) == 0 && DWT_CYCCNT != before;
}

const selftest_stall_counters_t *stalls_counters(void) {
    static selftest_stall_counters_t counters = {
#if defined(__ARM_ARCH_8M_MAIN__)
        .sections = {"Armv8-M ARM D1.2, DWT_CPICNT", "Armv8-M ARM D1.2, DWT_EXCCNT",
                     "Armv8-M ARM D1.2, DWT_SLEEPCNT", "Armv8-M ARM D1.2, DWT_LSUCNT",
                     "Armv8-M ARM D1.2, DWT_FOLDCNT"},
#else
        .sections = {"Armv7-M ARM C1.8.9", "Armv7-M ARM C1.8.10", "Armv7-M ARM C1.8.11",
                     "Armv7-M ARM C1.8.12", "Armv7-M ARM C1.8.13"},
#endif
        .begin = begin,
        .end = end,
    };
    counters.is_present = start();
    return &counters;
}

#endif
