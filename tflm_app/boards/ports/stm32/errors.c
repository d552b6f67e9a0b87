#include "errors.h"

#include "board.h"

static uint32_t recorded; /* bit n: error n */

static const char *const texts[N_ERRORS] = {
    "error 1: no crystal; clocked by the internal oscillator\r\n",
    "error 2: no PLL; the core runs slowly\r\n",
    "error 3: no sound clock; samples leave by the sample USART\r\n",
    "error 4: the codec does not answer\r\n",
    "error 5: reset by the watchdog\r\n",
    "error 6: no sound input\r\n",
};

void errors_record(error_t error) { recorded |= 1u << error; }

uint32_t errors_first(void) { return recorded == 0 ? 0 : (uint32_t)__builtin_ctz(recorded); }

void errors_print(void) {
    for (uint32_t error = 1; error <= N_ERRORS; error++) {
        if (recorded >> error & 1u) {
            board_print(texts[error - 1]);
        }
    }
}

void errors_report(error_t error) {
    errors_record(error);
    board_print(texts[error - 1]);
}
