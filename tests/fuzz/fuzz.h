#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// One fuzz target is one file that defines these two. Built by clang they become a libFuzzer
/// program; in every build `replay_main.cc` feeds the target its seeds, their seeded mutations, and
/// the files named on the command line (a corpus, or the input of a crash).

/// Checks one input; aborts (RINGPOST_ASSERT) if an invariant does not hold. Always returns 0.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

/// Inputs from which the interesting parts of the code can be reached.
std::vector<std::string> fuzz_seeds();
