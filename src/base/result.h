#pragma once

#include "base/assert.h"
#include "ringpost/error.h"

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace ringpost {

/// A value or an Error, with std::expected's names. (libstdc++ 12 hides <expected> from clang 16.)
/// Return where you see it: `if (!r) return r.error();`.
template <typename T>
class [[nodiscard]] Result {
 public:
  // NOLINTBEGIN(google-explicit-constructor): a function returns either, without ceremony.
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, error) {}
  // NOLINTEND(google-explicit-constructor)

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & {
    RINGPOST_ASSERT(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    RINGPOST_ASSERT(has_value());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    RINGPOST_ASSERT(has_value());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    RINGPOST_ASSERT(!has_value());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

/// Success or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(error) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  const Error& error() const {
    RINGPOST_ASSERT(error_.has_value());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

}  // namespace ringpost
