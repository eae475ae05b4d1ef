#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)

/// Whether this processor has an instruction for CRC-32C.
static inline bool cchecksum_is_supported(void) { return __builtin_cpu_supports("sse4.2"); }

/// Continues a CRC-32C, which is not inverted here, over `count` bytes. Only if that is supported.
__attribute__((target("sse4.2"))) static inline uint32_t cchecksum_crc32c(
    uint32_t crc, const void *_Nullable bytes, size_t count) {
  const unsigned char *next = (const unsigned char *)bytes;
  uint64_t running = crc;
  for (; count >= 8; next += 8, count -= 8) {
    uint64_t word;
    memcpy(&word, next, 8);
    running = __builtin_ia32_crc32di(running, word);
  }
  for (; count > 0; next++, count--) running = __builtin_ia32_crc32qi((uint32_t)running, *next);
  return (uint32_t)running;
}

#else

static inline bool cchecksum_is_supported(void) { return false; }

static inline uint32_t cchecksum_crc32c(uint32_t crc, const void *_Nullable bytes, size_t count) { return crc; }

#endif
