#pragma once

#include "api/answer.h"
#include "api/call.h"
#include "api/problem.h"

#include <cstddef>
#include <string>
#include <variant>

namespace ringpost::dialect::devopness {

/// One page of a list: `page` from 1, `per_page` from 1 to 100.
class Page {
 public:
  static constexpr size_t items_default = 20;
  static constexpr size_t items_max = 100;

  /// Reads the call's query; other parameters are not looked at.
  /// @param items  in the whole list.
  static std::variant<Page, api::Problem> read(const api::Call& call, size_t items);

  /// The items of this page: from begin() on, and before end().
  size_t begin() const { return begin_; }
  size_t end() const { return end_; }

  /// The answer with `body` and a Link header that leads to the other pages.
  api::Answer answer(std::string body) const;

 private:
  size_t begin_ = 0;
  size_t end_ = 0;
  std::string links_;
};

}  // namespace ringpost::dialect::devopness
