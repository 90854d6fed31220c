#pragma once

namespace ringpost {

/// Gives what the allocator keeps for the calling thread, and does not use, back to the system. For
/// after a large use: it walks all of the thread's heap, and what comes next pays for fresh pages.
/// Nothing happens in a program without mimalloc: tests, and whatever a sanitizer allocates for.
void return_free_memory();

}  // namespace ringpost
