#pragma once

#include "json/document.h"

#include <string>
#include <vector>

namespace ringpost::json {

/// Scalars that a value may be equal to: filters and conditions ask for them. Scalars are equal if
/// their texts are (Found::text: `123` equals `"123"`, `true` equals `"true"`, case counts), whole
/// numbers if their values are (`60.0` equals `60`). Null equals null and what is missing. Arrays
/// and objects equal nothing.
class ScalarSet {
 public:
  /// @param scalar  null, or what has a text: neither an array nor an object, and not broken.
  void add(const Found& scalar);

  bool empty() const { return texts_.empty() && !has_null_; }

  /// Whether `value` equals one of them. Allocates only for numbers with a point or an exponent.
  bool holds(const Found& value) const;

 private:
  std::vector<std::string> texts_;  ///< In order.
  bool has_null_ = false;
};

}  // namespace ringpost::json
