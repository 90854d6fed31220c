#include "control/session_links.h"

#include "base/bytes.h"
#include "control/bounded_table.h"
#include "crypto/random.h"

namespace ringpost::control {
namespace {

constexpr size_t code_bytes = 32;

}  // namespace

std::string SessionLinks::create(const crypto::Digest& token_sha256, Instant now) {
  make_room(token_sha256, now);
  std::string code = crypto::token("", code_bytes);
  links_[crypto::sha256(as_bytes(code))] = {.token_sha256 = token_sha256,
                                            .ends_at = now + life_max};
  return code;
}

std::optional<crypto::Digest> SessionLinks::take(std::string_view code, Instant now) {
  auto link = links_.extract(crypto::sha256(as_bytes(code)));
  if (link.empty() || now >= link.mapped().ends_at) return std::nullopt;
  return link.mapped().token_sha256;
}

/// For one more code of the token.
void SessionLinks::make_room(const crypto::Digest& token_sha256, Instant now) {
  std::erase_if(links_, [&](const auto& entry) { return now >= entry.second.ends_at; });
  control::make_room(
      links_, per_token_max, count_max,
      [&](const auto& entry) { return entry.second.token_sha256 == token_sha256; },
      [](const auto& entry) { return entry.second.ends_at; });
}

}  // namespace ringpost::control
