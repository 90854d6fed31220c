#include "control/api/openapi.h"

#include "base/bytes.h"
#include "crypto/digest.h"
#include "crypto/hex.h"
#include "http/syntax.h"

#include <string>

namespace ringpost::control {
namespace {

/// The document only changes with the program, but a client may be behind an update for an hour.
constexpr std::string_view cache_control = "public, max-age=3600";

const std::string& entity_tag() {
  static const std::string tag =
      '"' +
      crypto::hex_encode(crypto::bytes_of(crypto::sha256(as_bytes(openapi_document()))))
          .substr(0, 32) +
      '"';
  return tag;
}

bool names_the_document(std::string_view if_none_match) {
  bool found = false;
  http::for_each_list_member(if_none_match, [&](std::string_view tag) {
    if (tag.starts_with("W/")) tag.remove_prefix(2);  // Compared weakly.
    found |= tag == "*" || tag == entity_tag();
  });
  return found;
}

}  // namespace

Answer show_openapi(const Call& call) {
  Answer answer = names_the_document(call.request.header("if-none-match"))
                      ? answer_json(304, {})
                      : answer_json(200, std::string{openapi_document()});
  answer.response.headers.push_back({"ETag", entity_tag()});
  answer.response.headers.push_back({"Cache-Control", std::string{cache_control}});
  return answer;
}

}  // namespace ringpost::control
