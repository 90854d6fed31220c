#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// What a command reads besides its options. Secrets come from here only: the arguments of a process
// can be read by every user of its machine.

namespace ringpost::cli {

/// Why the command line cannot be followed: what, and how to mend it. Exit code 2.
struct UsageProblem {
  std::string text;
};

template <typename T>
using Usable = std::variant<T, UsageProblem>;

inline constexpr size_t secret_file_bytes_max = 64 * 1024;

/// The whole file; `-` is standard input.
Usable<std::string> read_file(const std::string& name);
/// The same for a file of text: without the byte order mark that some editors put before it.
Usable<std::string> read_text_file(const std::string& name);

/// What some editors put before a text.
void remove_byte_order_mark(std::string& text);
/// Windows' editors write it.
bool is_utf16(std::string_view text);

/// The value of an option that takes text, or `@FILE` for a file's content (`@-`: standard input).
Usable<std::string> read_text_or_file(const std::string& value);

/// The same for an option that takes JSON. A problem names the place in the value as it was given,
/// not in the request that it becomes a part of.
Usable<std::string> read_json(const std::string& option, const std::string& value);

/// An option's duration (base/duration.h).
Usable<std::chrono::milliseconds> read_duration(const std::string& option,
                                                const std::string& value);
/// Why a value is none; empty if it is one. For an option's check, which names the option itself.
std::string object_to_duration(const std::string& value);
/// The same in whole seconds, for what the relay counts in seconds.
Usable<int64_t> read_seconds(const std::string& option, const std::string& value);

/// A line that an option gave, and where it is: `--header`, or file and line, for a problem.
struct PlacedLine {
  std::string place;
  std::string text;  ///< Without its line end.
};
/// What an option takes that may be one line of text, or `@FILE` (`@-`: standard input) of such
/// lines; blank lines are passed over.
Usable<std::vector<PlacedLine>> read_lines(const std::string& option, const std::string& value);

/// A secret: `from` is `@FILE`, or `-` for standard input; one line end after it does not count.
/// @param option       its name, for the problem: a secret in the arguments is refused.
/// @param environment  the variable that may hold it, or `@FILE`, instead; used where `from` is
///                     empty. May be null.
/// @returns empty if neither says anything.
Usable<std::string> read_secret(const std::string& option, const std::string& from,
                                const char* environment);

}  // namespace ringpost::cli
