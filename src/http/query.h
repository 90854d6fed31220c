#pragma once

#include "http/url.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ringpost::http {

/// Decodes `%XX` once; with `plus_is_space` also `+`, as in a query. Nothing if a `%` is not
/// followed by two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

/// Appends `text` with `%XX` for everything but the unreserved characters (RFC 3986, 2.3) and
/// `also_plain`: good for a path segment or a query value.
void append_percent_encoded(std::string& out, std::string_view text,
                            std::string_view also_plain = {});

/// The parameters of a request's query, as in `?limit=10&cursor=abc`.
///
/// A name that appears twice is refused: which one counts would be a matter of taste. `+` is a
/// space. A name without `=` has an empty value; empty pieces (`a=1&&b=2`) are skipped. At most
/// `parameters_max`; no control bytes, UTF-8 only.
class QueryParameters {
 public:
  static constexpr size_t parameters_max = 32;

  static std::variant<QueryParameters, UrlProblem> parse(std::string_view query);

  /// The decoded value; nothing if absent. Valid as long as this object.
  std::optional<std::string_view> find(std::string_view name) const;
  /// In the order sent: for refusing names that nobody knows.
  const std::vector<std::pair<std::string, std::string>>& all() const { return parameters_; }

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

}  // namespace ringpost::http
