/* A log of small records in the two sectors of board_flash.h. Its newest intact record is what counts.
 *
 * Records fill a sector one after the other; when it is full, the other one is erased and continues. A record
 * ends with a checksum of all before it, and the sector that holds the newest one is never erased, so
 * whenever the power fails, the log holds either the new record or the one before. A place that is not blank
 * is never programmed again, and a sector is always erased just before its first record, because an
 * interrupted erasure may leave a sector that looks blank but does not keep what is written.
 *
 * A sector of S bytes that can be erased N times takes 2 N S / 64 records: 12 million with the 4 kB and
 * 100 000 erasures of a Pico's flash, 40 million with the 128 kB and 10 000 of an STM32.
 *
 * There is no state besides the flash. A record takes 64 bytes of it; each call reads all that is blank.
 */
#ifndef RECORD_LOG_H
#define RECORD_LOG_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RECORD_BYTES 64u
#define RECORD_DATA_BYTES 48u

/* Reads the data of the newest intact record of a version; returns false if there is none. Records of other
 * versions, such as those of a newer firmware, are passed over. */
bool record_log_read(uint32_t version, uint8_t data[RECORD_DATA_BYTES]);

/* Appends a record and reads it back; returns false if the flash does not keep it. The previous record is
 * then still there. */
bool record_log_append(uint32_t version, const uint8_t data[RECORD_DATA_BYTES]);

#ifdef __cplusplus
}
#endif

#endif
