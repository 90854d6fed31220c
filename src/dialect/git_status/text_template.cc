#include "dialect/git_status/text_template.h"

#include "http/query.h"
#include "http/syntax.h"

#include <algorithm>

namespace ringpost::dialect::git_status {
namespace {

constexpr std::string_view opening = "{{";
constexpr std::string_view closing = "}}";

}  // namespace

std::variant<TextTemplate, std::string> TextTemplate::compile(std::string_view text) {
  static_assert(bytes_max == 1024 && expansions_max == 16, "the sentences say so");
  if (text.size() > bytes_max) return "is longer than 1024 bytes";
  if (!http::is_field_text(text)) return "has a line end or another control character";
  TextTemplate made;
  while (true) {
    const size_t begin = text.find(opening);
    if (begin == std::string_view::npos) break;
    const size_t end = text.find(closing, begin);
    if (end == std::string_view::npos) return "has {{ without }} after it";
    const std::string_view inside =
        http::trim(text.substr(begin + opening.size(), end - begin - opening.size()));
    const auto objection = json::Path::object_to(inside);
    if (!objection.empty()) {
      return "has an expansion other than a path such as {{ build.number }}: it " +
             std::string{objection};
    }
    if (made.pieces_.size() == expansions_max) return "has more than 16 expansions";
    made.pieces_.push_back({std::string{text.substr(0, begin)}, json::Path::constant(inside)});
    text.remove_prefix(end + closing.size());
  }
  made.rest_ = text;
  return made;
}

std::string TextTemplate::fill(Values& values) const {
  std::string out;
  for (const Piece& piece : pieces_) out.append(piece.text).append(values.find(piece.path));
  return out.append(rest_);
}

std::string TextTemplate::fill_url(Values& values) const {
  std::string out;
  for (const Piece& piece : pieces_) {
    out.append(piece.text);
    const std::string_view value = values.find(piece.path);
    if (out.empty()) {
      out.append(value);
    } else {
      http::append_percent_encoded(out, value, "/");
    }
  }
  return out.append(rest_);
}

}  // namespace ringpost::dialect::git_status
