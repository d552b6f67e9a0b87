/* CRC-32: finds damage in what was stored or transferred.
 *
 * Source: ISO 3309, as in zlib and Ethernet. Cost: most of that of ddx7_load (ddx7/ddx7_model.h). Table: 64
 * bytes.
 */
#ifndef CRC32_H
#define CRC32_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Continues the checksum of the bytes before these; begin with 0. */
uint32_t crc32(uint32_t crc, const void *data, size_t n_bytes);

#ifdef __cplusplus
}
#endif

#endif
