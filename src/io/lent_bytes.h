#pragma once

/// Receive buffers may be read only while they are lent: at other times AddressSanitizer reports
/// any access. Without it these do nothing.
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define RINGPOST_LOCK_BYTES(begin, size) ASAN_POISON_MEMORY_REGION(begin, size)
#define RINGPOST_UNLOCK_BYTES(begin, size) ASAN_UNPOISON_MEMORY_REGION(begin, size)
#else
#define RINGPOST_LOCK_BYTES(begin, size) static_cast<void>(0)
#define RINGPOST_UNLOCK_BYTES(begin, size) static_cast<void>(0)
#endif
