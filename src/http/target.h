#pragma once

#include <string>
#include <string_view>
#include <variant>

namespace ringpost::http {

/// A request target taken apart.
struct Target {
  std::string path;   ///< Normalised: see parse_target.
  std::string query;  ///< As sent, without `?`.
};

/// Why a target is refused. Static text.
struct TargetProblem {
  std::string_view reason;
};

/// A request target with its authority apart.
struct TargetForm {
  std::string_view authority;  ///< As sent; borrowed. Empty: the target is not in absolute form.
  std::string origin;          ///< Without scheme and authority: origin form, if it is any form.
};

/// Takes `http://authority` or `https://authority`, the scheme in any case, off a target in
/// absolute form (RFC 9112, 3.2.2); its empty path becomes `/` (RFC 9110, 4.2.3). Any other target
/// is `origin` as it came, for parse_target to judge.
TargetForm split_target(std::string_view target);

/// Reads a request target in origin form (RFC 9112, 3.2.1); every other form is refused.
///
/// The path is percent-decoded once. Encoded slashes, backslashes and percent signs stay encoded
/// (`%2F`, `%5C`, `%25`, upper case), so that decoding it cannot add a segment and two different
/// targets never get one path by being decoded twice. Then dot segments are resolved. Refused:
/// encoded or plain control bytes (`%00`), a `%` without two hexadecimal digits, decoded bytes that
/// are not UTF-8, dot segments that lead above the root, a `#`, bytes outside visible ASCII, and
/// those of `"<>\^{}` and the backtick that no client sends unencoded in a path.
std::variant<Target, TargetProblem> parse_target(std::string_view target);

/// Whether `text` is UTF-8, without surrogates and overlong forms.
bool is_utf8(std::string_view text);

}  // namespace ringpost::http
