#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

/// Whether allocations are counted: on glibc, and in no program that a sanitizer watches, because that brings an
/// allocator of its own.
bool allocation_counter_is_available(void);

/// How often the calling thread has asked for memory since it began: every malloc, calloc, realloc, aligned_alloc,
/// posix_memalign and memalign of the program and of the libraries that it uses. 0 where nothing is counted.
uint64_t allocation_counter_read(void);

#endif
