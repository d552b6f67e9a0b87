#include "apps/selftest/checks.h"
#include "apps/selftest/report.h"

/* Zeros and ones; the second pair of words has opposite bits side by side. */
static const uint32_t backgrounds[] = {0x00000000u, 0x55555555u};

/* Reads each word, which must hold `expected`, and writes `next`; upwards or downwards. Returns the first
 * word that differs, or NULL. */
static volatile uint32_t *march(const selftest_memory_t *memory, bool is_upwards, uint32_t expected,
                                uint32_t next) {
    const size_t n_words = (size_t)(memory->end - memory->start);
    for (size_t i = 0; i < n_words; i++) {
        volatile uint32_t *const word = memory->start + (is_upwards ? i : n_words - 1 - i);
        if (*word != expected) {
            return word;
        }
        *word = next;
    }
    return NULL;
}

static volatile uint32_t *find_fault(const selftest_memory_t *memory, uint32_t zero) {
    const uint32_t one = ~zero;
    for (volatile uint32_t *word = memory->start; word < memory->end; word++) {
        *word = zero;
    }
    const struct {
        bool is_upwards;
        uint32_t expected, next;
    } steps[] = {
        {true, zero, one}, {true, one, zero}, {false, zero, one}, {false, one, zero}, {true, zero, zero}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        volatile uint32_t *const fault = march(memory, steps[i].is_upwards, steps[i].expected, steps[i].next);
        if (fault != NULL) {
            return fault;
        }
    }
    return NULL;
}

void check_memory(const selftest_memory_t *memory) {
    volatile uint32_t *fault = NULL;
    for (size_t i = 0; i < sizeof backgrounds / sizeof backgrounds[0] && fault == NULL; i++) {
        fault = find_fault(memory, backgrounds[i]);
    }
    report_begin("memory");
    report_text("name", memory->name);
    report_hex("address", (uint32_t)(uintptr_t)memory->start);
    report_number("bytes", (uint32_t)((uintptr_t)memory->end - (uintptr_t)memory->start));
    if (fault != NULL) {
        report_hex("fault", (uint32_t)(uintptr_t)fault);
    }
    report_check(fault == NULL);
    report_end();
}
