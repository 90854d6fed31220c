#pragma once

#include "json/path.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace ringpost::dialect::git_status {

/// What a template's expansions stand for.
class Values {
 public:
  /// @returns the text at `path`, valid until the next call; empty if there is none, or an object
  ///          or array.
  virtual std::string_view find(const json::Path& path) = 0;

 protected:
  ~Values() = default;
};

/// A text with values of an event in it: `Build {{ build.number }}`. An expansion is `{{`, a path
/// (json::Path) and `}}`, with blanks around the path if somebody likes. Immutable: any thread may
/// fill it in.
class TextTemplate {
 public:
  static constexpr size_t bytes_max = 1024;
  static constexpr size_t expansions_max = 16;

  /// @returns why the text is no template, as a part of a sentence.
  static std::variant<TextTemplate, std::string> compile(std::string_view text);

  /// The text filled in. A value is never expanded again.
  std::string fill(Values& values) const;
  /// The same for a URL: values are percent-encoded, but for one that the URL begins with.
  std::string fill_url(Values& values) const;

 private:
  struct Piece {
    std::string text;  ///< Before the expansion.
    json::Path path;
  };

  std::vector<Piece> pieces_;
  std::string rest_;  ///< Behind the last expansion.
};

}  // namespace ringpost::dialect::git_status
