/* The interface of reverb.h for a firmware without responses: the sound stays dry. It costs nothing. */
#ifndef REVERB_NONE_H
#define REVERB_NONE_H

#include <stddef.h>
#include <stdint.h>

#include "shared_constants.h"

#ifdef __cplusplus
extern "C" {
#endif

#define REVERB_IS_PRESENT 0
#define REVERB_ONLY(entry)

#define REVERB_BLOCK_SAMPLES SHARED_HOP_SAMPLES

typedef struct reverb_response reverb_response_t; /* no response */

typedef struct {
    uint8_t unused; /* C99 has no empty structures; the compiler drops variables of this type */
} reverb_t;

static inline const reverb_response_t *reverb_response(size_t preset) {
    (void)preset;
    return NULL;
}

static inline void reverb_init(reverb_t *reverb, const reverb_response_t *response) {
    (void)reverb, (void)response;
}

static inline void reverb_reset(reverb_t *reverb) { (void)reverb; }

static inline void reverb_process(reverb_t *reverb, int16_t samples[REVERB_BLOCK_SAMPLES]) {
    (void)reverb, (void)samples;
}

static inline void reverb_process_in(reverb_t *reverb, const reverb_response_t *response,
                                     int16_t samples[REVERB_BLOCK_SAMPLES]) {
    (void)reverb, (void)response, (void)samples;
}

static inline uint32_t reverb_n_blocks(const reverb_response_t *response) {
    (void)response;
    return 0;
}

#ifdef __cplusplus
}
#endif

#endif
