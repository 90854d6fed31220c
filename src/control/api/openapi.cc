#include "control/api/openapi.h"

#include "base/bytes.h"
#include "crypto/digest.h"
#include "crypto/hex.h"
#include "http/accept.h"

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

}  // namespace

Answer show_openapi(const Call& call) {
  Answer answer = http::names_tag(call.request.header("if-none-match"), entity_tag())
                      ? answer_json(304, {})
                      : answer_json(200, std::string{openapi_document()});
  answer.response.headers.push_back({"ETag", entity_tag()});
  answer.response.headers.push_back({"Cache-Control", std::string{cache_control}});
  return answer;
}

}  // namespace ringpost::control
