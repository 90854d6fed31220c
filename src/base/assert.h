#pragma once

namespace ringpost::base {

/// Prints the failed condition with its place to standard error and aborts. Never returns.
[[noreturn]] void assert_failed(const char* condition, const char* file, int line);

}  // namespace ringpost::base

/// For what we control: arguments, states, sums of pools. Stays on in release. Never for bytes from
/// a peer, a disk or a file: those get an Error.
#define RINGPOST_ASSERT(condition)                   \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::ringpost::base::assert_failed(#condition, __FILE__, __LINE__))

/// Marks a place that no input can reach.
#define RINGPOST_UNREACHABLE() ::ringpost::base::assert_failed("unreachable", __FILE__, __LINE__)

/// For checks that cost more than the work they guard: on in debug and sanitizer builds only.
#if defined(RINGPOST_DEBUG_CHECKS)
#define RINGPOST_DCHECK(condition) RINGPOST_ASSERT(condition)
#else
#define RINGPOST_DCHECK(condition) static_cast<void>(0)
#endif
