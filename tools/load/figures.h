#pragma once

#include "base/clock.h"

#include <cstdint>
#include <string>

namespace ringpost::load {

/// `850 us`, `1.23 ms`, `12.3 ms`, `4.56 s`: three digits.
std::string duration_text(Duration duration);
/// A number with `decimals` digits after the point.
std::string decimal_text(double number, int decimals);
/// A rate or a count that may be large: three digits, or grouped without decimals from 1,000 on.
std::string number_text(double number);

}  // namespace ringpost::load
