#pragma once

#include <simdjson.h>

#include <cstddef>
#include <string>
#include <vector>

// What `top` shows, as lines of text. No control byte of an answer gets through.

namespace ringpost::cli {

/// A webhook that needs somebody to look at it.
struct TroubledWebhook {
  std::string id;
  std::string name;  ///< Its description, or its URL.
  std::string trouble;
  uint64_t weight = 0;  ///< The larger, the worse.
};
/// Adds it to `worst` if it is in trouble, and keeps the `count_max` worst, the worst first.
void add_if_troubled(simdjson::dom::element webhook, size_t count_max,
                     std::vector<TroubledWebhook>& worst);

/// What is known of a relay at a moment. Borrows.
struct TopFacts {
  simdjson::dom::element status;                   ///< `GET /v1/status`.
  const simdjson::dom::element* before = nullptr;  ///< An earlier one: there are no rates without.
  double seconds = 0;                              ///< Between the two.
  const std::vector<TroubledWebhook>* worst = nullptr;  ///< Null: they could not be asked for.
  std::string url;
  std::string hint;    ///< Behind the relay's name; may be empty.
  std::string notice;  ///< What went wrong since; may be empty.
  std::string now;     ///< RFC 3339.
};
std::vector<std::string> show_top(const TopFacts& facts);

/// The lines as a screen of this size: each cut to its width, and no more than it has. Where that
/// leaves some out the last one says so.
std::vector<std::string> fit(std::vector<std::string> lines, size_t columns, size_t rows);

}  // namespace ringpost::cli
