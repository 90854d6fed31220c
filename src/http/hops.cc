#include "http/hops.h"

#include "http/syntax.h"

#include <algorithm>
#include <string>

namespace ringpost::http {

std::optional<Problem> read_hops(const Request& request, uint32_t& hops) {
  hops = request.has_header("ringpost-delivery") ? 1 : 0;
  if (!request.has_header(hops_header)) return std::nullopt;
  const auto fields = std::ranges::count_if(request.headers, [](const Header& header) {
    return equal_ignoring_case(header.name, hops_header);
  });
  // Of two, the one that a webhook adds to the relay's own must not count.
  const auto count = fields == 1 ? parse_decimal(request.header(hops_header)) : std::nullopt;
  Problem problem{.member = std::string{hops_header}};
  if (!count) {
    problem.status = 400;
    problem.type = "urn:ringpost:malformed";
    problem.detail = "The header ringpost-hops must be one whole number.";
    return problem;
  }
  if (*count > hops_max) {
    problem.status = 508;
    problem.type = "urn:ringpost:loop";
    problem.detail = "This request has come over more than " + std::to_string(hops_max) +
                     " relays, so their webhooks lead in a circle. Remove the webhook that leads "
                     "back.";
    return problem;
  }
  hops = static_cast<uint32_t>(*count);
  return std::nullopt;
}

}  // namespace ringpost::http
