#include "load/figures.h"

#include "cli/text.h"

#include <cmath>
#include <cstdio>

namespace ringpost::load {
namespace {

/// Three digits.
std::string three_digits(double number) {
  return decimal_text(number, number < 9.995 ? 2 : number < 99.95 ? 1 : 0);
}

}  // namespace

std::string decimal_text(double number, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, number);
  return text;
}

std::string number_text(double number) {
  if (number < 999.5) return three_digits(number);
  return cli::grouped(static_cast<uint64_t>(std::llround(number)));
}

std::string duration_text(Duration duration) {
  const double us = static_cast<double>(duration.count()) / 1000;
  if (us < 999.5) return decimal_text(us, 0) + " us";
  if (us < 999'500) return three_digits(us / 1000) + " ms";
  return number_text(us / 1e6) + " s";
}

}  // namespace ringpost::load
