/* player/second_core.h for the Picos. The cores send each other words through the two FIFOs of the SIO: to
 * the second core the work, a function and its argument; back a zero when it is done.
 *
 * Source: RP2040 datasheet, sections 2.3.1.4 (FIFOs) and 2.8.2 (launching code on core 1); RP2350 datasheet,
 * sections 3.1.5 and 5.3.
 */
#include "player/second_core.h"

#include "registers.h"
#include "reset.h"
#include "rp2.h"

#define ANSWER_ROUNDS \
    100000u /* several cycles each: about a fifth of a second at 6.5 MHz, 10 ms at 125 MHz */

extern uint32_t link_second_stack_guard[], link_second_stack_end[]; /* only their addresses are meaningful */

static bool is_running;
static volatile bool is_awaited; /* the first core waits for the second */
static volatile uint32_t n_late;

static bool has_word(void) { return (REGISTER(SIO_FIFO_ST) & SIO_FIFO_ST_VLD) != 0; }

/* There is always space: no more than two words are under way. */
static void send(uint32_t word) {
    __asm__ volatile("dmb" ::: "memory");
    REGISTER(SIO_FIFO_WR) = word;
    __asm__ volatile("sev"); /* wakes the other core from WFE */
}

static uint32_t receive(void) {
    while (!has_word()) {
        __asm__ volatile("wfe");
    }
    const uint32_t word = REGISTER(SIO_FIFO_RD);
    __asm__ volatile("dmb" ::: "memory");
    return word;
}

static void work(void) {
    cortex_m_enable_fpu();
    cortex_m_guard_stack(link_second_stack_guard);
    for (;;) {
        void (*const run)(void *) = (void (*)(void *))receive();
        run((void *)receive());
        send(0);
    }
}

/* The boot ROM holds the second core until it has received these words, and answers each of them with the
 * same word. After any other answer, the sequence begins again. */
bool rp2_start_second_core(void) {
    const uint32_t words[] = {
        0, 0, 1, (uint32_t)rp2_vectors, (uint32_t)link_second_stack_end, (uint32_t)work,
    };
    const uint32_t n_words = sizeof words / sizeof words[0];
    uint32_t n = 0, round = 0;
    while (n < n_words && round < ANSWER_ROUNDS) {
        while (words[n] == 0 && has_word()) {
            (void)REGISTER(SIO_FIFO_RD); /* left from before */
        }
        send(words[n]);
        while (!has_word() && round < ANSWER_ROUNDS) {
            round++;
        }
        n = has_word() && REGISTER(SIO_FIFO_RD) == words[n] ? n + 1 : 0;
        round++;
    }
    is_running = n == n_words;
    return is_running;
}

void second_core_start(void (*run)(void *argument), void *argument) {
    if (is_running) {
        send((uint32_t)run);
        send((uint32_t)argument);
    } else {
        run(argument);
    }
}

void second_core_wait(void) {
    if (is_running) {
        is_awaited = true;
        (void)receive();
        is_awaited = false;
        __asm__ volatile("sev"); /* an event of an interrupt, which WFE may have consumed, is there again */
    }
}

void rp2_check_second_core(void) { n_late += is_awaited; }

uint32_t second_core_n_late(void) { return n_late; }
