#pragma once

#include <string>
#include <string_view>

namespace ringpost {

/// Puts `with` in the place of each `what`; an empty `what` is nowhere.
inline void replace_all(std::string& text, std::string_view what, std::string_view with) {
  if (what.empty()) return;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
    text.replace(at, what.size(), with);
    at += with.size();
  }
}

}  // namespace ringpost
