#pragma once

#include "base/clock.h"
#include "base/prng.h"
#include "cli/input.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::load {

/// Text with placeholders, which are filled in for each event:
///
///     {{counter}}           0, 1, 2, …; {{counter 100}} begins there
///     {{random 1 100}}      a number from 1 to 100; {{random}}: of 32 bits
///     {{choice a b c}}      one of the words
///     {{timestamp}}         RFC 3339, UTC; {{timestamp_ms}}: milliseconds since 1970
///     {{uuid}}              a UUID of version 7
class TextTemplate {
 public:
  /// Errors name the placeholder that is not known or has wrong parameters.
  static cli::Usable<TextTemplate> compile(std::string_view text);

  struct Values {
    uint64_t counter = 0;
    WallTime now{};
    Prng& random;
  };
  void append_to(std::string& out, const Values& values) const;
  std::string filled(const Values& values) const;

  /// Whether it is the same text every time.
  bool fixed() const { return parts_.empty(); }
  /// What comes before the first placeholder.
  const std::string& beginning() const { return beginning_; }

 private:
  enum class Kind : uint8_t { counter, random, choice, timestamp, timestamp_ms, uuid };
  /// A placeholder, and the text after it.
  struct Part {
    Kind kind{};
    uint64_t low = 0;
    uint64_t high = 0;
    std::vector<std::string> words;
    std::string text;
  };
  static cli::Usable<Part> compile_placeholder(std::string_view text);
  static void append_part(const Part& part, std::string& out, const Values& values);

  std::string beginning_;
  std::vector<Part> parts_;
};

}  // namespace ringpost::load
