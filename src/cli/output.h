#pragma once

namespace ringpost::cli {

/// The last thing that a program does: writes out what standard output still holds. What could not
/// be written, now or earlier, is reported in one line on standard error.
/// @returns `code`; `failed` where that is 0 and something was lost.
int finish_output(const char* program, int code, int failed = 1);

}  // namespace ringpost::cli
