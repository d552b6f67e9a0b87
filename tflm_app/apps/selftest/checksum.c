#include "apps/selftest/checks.h"
#include "apps/selftest/report.h"
#include "crc32/crc32.h"

#define MAX_PARTS 8u

/* What pipeline/target/selftest.py fills in after linking: the bytes that the image stores in flash, and
 * their checksum. It finds the place by the text. Volatile, because the compiler must not rely on these
 * values. */
typedef struct {
    char mark[16];
    uint32_t n_parts;
    struct {
        uint32_t address, n_bytes;
    } parts[MAX_PARTS];
    uint32_t hole; /* address of `crc` in flash, whose four bytes count as zeros */
    uint32_t crc;
} seal_t;

static const volatile seal_t seal __attribute__((used)) = {.mark = "selftest image:"};

static const void *in_flash(uint32_t address) { return (const void *)(uintptr_t)address; }

void check_flash(void) {
    static const uint32_t zero = 0;
    const uint32_t hole = seal.hole;
    uint32_t crc = 0, n_all = 0;
    for (uint32_t i = 0; i < seal.n_parts && i < MAX_PARTS; i++) {
        const uint32_t address = seal.parts[i].address, n_bytes = seal.parts[i].n_bytes;
        if (hole - address < n_bytes) {
            const uint32_t n_before = hole - address;
            crc = crc32(crc, in_flash(address), n_before);
            crc = crc32(crc, &zero, sizeof zero);
            crc = crc32(crc, in_flash(hole + 4u), n_bytes - n_before - 4u);
        } else {
            crc = crc32(crc, in_flash(address), n_bytes);
        }
        n_all += n_bytes;
    }
    report_begin("flash");
    report_number("bytes", n_all);
    report_hex("expected", seal.crc);
    report_hex("found", crc);
    report_check(n_all > 0 && crc == seal.crc);
    report_end();
}
