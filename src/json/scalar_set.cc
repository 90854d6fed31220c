#include "json/scalar_set.h"

#include "base/assert.h"
#include "json/text.h"

#include <algorithm>
#include <functional>

namespace ringpost::json {
namespace {

/// What two equal values have in common: a whole number has one text, however it is spelled.
std::string comparable(const Found& value) {
  if (value.kind != Kind::number) return std::string{value.text};
  return whole_number(value.text).value_or(std::string{value.text});
}

}  // namespace

void ScalarSet::add(const Found& scalar) {
  RINGPOST_ASSERT(scalar.kind != Kind::array && scalar.kind != Kind::object && !scalar.broken);
  if (scalar.kind == Kind::null || scalar.kind == Kind::missing) {
    has_null_ = true;
    return;
  }
  std::string text = comparable(scalar);
  texts_.insert(std::ranges::upper_bound(texts_, text), std::move(text));
}

bool ScalarSet::holds(const Found& value) const {
  switch (value.kind) {
    case Kind::missing:
    case Kind::null: return has_null_;
    case Kind::boolean:
    case Kind::integer:
    case Kind::string: return std::ranges::binary_search(texts_, value.text, std::less<>{});
    case Kind::number: return std::ranges::binary_search(texts_, comparable(value));
    case Kind::array:
    case Kind::object: break;
  }
  return false;
}

}  // namespace ringpost::json
