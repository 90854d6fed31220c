#include "dialect/head.h"

#include "base/assert.h"
#include "dialect/content.h"
#include "dialect/event_trace.h"
#include "http/hops.h"
#include "http/serialiser.h"
#include "http/syntax.h"
#include "ringpost/version.h"

#include <algorithm>
#include <initializer_list>

namespace ringpost::dialect {
namespace {

/// Whether a header may go out. The API and ingest checked it already: this is the second place,
/// right before the wire.
bool clean(std::string_view name, std::string_view value) {
  return http::valid_header_name(name) && http::valid_header_value(value);
}

/// Removes the header `name` from `head` (not from its request line), if it is there.
void remove_header(std::string& head, std::string_view name) {
  size_t line = head.find("\r\n") + 2;
  while (line < head.size()) {
    const size_t end = head.find("\r\n", line) + 2;
    const size_t colon = head.find(':', line);
    if (colon < end &&
        http::equal_ignoring_case(std::string_view(head).substr(line, colon - line), name)) {
      head.erase(line, end - line);
      return;
    }
    line = end;
  }
}

/// A redelivery may come with headers of its own: they replace the webhook's headers of that name.
void apply_overrides(std::string& head, std::string_view overrides) {
  while (!overrides.empty()) {
    const size_t end = std::min(overrides.find('\n'), overrides.size());
    const std::string_view line = overrides.substr(0, end);
    const size_t colon = line.find(": ");
    if (colon != std::string_view::npos && clean(line.substr(0, colon), line.substr(colon + 2))) {
      remove_header(head, line.substr(0, colon));
      append_header(head, line.substr(0, colon), line.substr(colon + 2));
    }
    overrides.remove_prefix(std::min(end + 1, overrides.size()));
  }
}

}  // namespace

std::string fixed_part(const subscription::Webhook& webhook, std::string_view method,
                       std::string_view user_agent) {
  const subscription::Destination& to = webhook.destination;
  std::string head{method};
  head.append(" ").append(to.target).append(" HTTP/1.1\r\n");
  const bool ipv6 = to.host.find(':') != std::string::npos;
  std::string host = ipv6 ? "[" + to.host + "]" : to.host;
  if (to.port != (to.tls ? 443 : 80)) host += ":" + std::to_string(to.port);
  append_header(head, "Host", host);
  append_header(head, "User-Agent",
                user_agent.empty() ? std::string("ringpost/") + version : std::string{user_agent});
  for (const auto& [name, value] : webhook.headers) {
    if (clean(name, value)) append_header(head, name, value);
  }
  return head;
}

void finish_bare(Request& request, const AttemptFacts& facts, std::string_view content_type) {
  const bool own = !facts.trace_parent.empty();
  const std::string_view trace_parent = own ? facts.trace_parent : facts.event.trace_parent;
  if (!trace_parent.empty() && http::valid_header_value(trace_parent)) {
    append_header(request.head, "traceparent", trace_parent);
    const std::string trace_state = trace_state_of(facts.event);
    if (!trace_state.empty()) append_header(request.head, "tracestate", trace_state);
  }
  finish_untraced(request, facts, content_type);
}

void finish_untraced(Request& request, const AttemptFacts& facts, std::string_view content_type) {
  std::string& head = request.head;
  if (!content_type.empty() && http::valid_header_value(content_type)) {
    append_header(head, "Content-Type", content_type);
  }
  const std::string_view overrides = facts.event.header_overrides;
  if (!overrides.empty()) apply_overrides(head, overrides);
  // Whatever its URL says, a relay may be what it leads to: proxies map paths.
  append_header(head, http::hops_header, uint64_t{facts.event.hops} + 1);
  append_header(head, "Content-Length", uint64_t{request.body.size()});
  head.append("\r\n");
}

void append_delivery(std::string& head, const AttemptFacts& facts) {
  char delivery[Ulid::text_size];
  facts.delivery.write_text(delivery);
  append_header(head, "ringpost-delivery", std::string_view{delivery, sizeof delivery});
  append_header(head, "ringpost-attempt", uint64_t{facts.attempt});
}

void finish(Request& request, const AttemptFacts& facts) {
  append_delivery(request.head, facts);
  finish_bare(request, facts, content_type_of(facts.event));
}

void Renderer::render_question(std::string_view, std::string&) const {
  RINGPOST_UNREACHABLE();  // Only where the dialect asks first.
}

std::string Renderer::masked(std::string_view head) const {
  return mask_credentials(head);
}

/// Asked for every header of every request. So it allocates nothing, and looks closer only where
/// one of the words may begin.
bool names_a_credential(std::string_view header) {
  using Words = std::initializer_list<std::string_view>;
  const auto follows = [](std::string_view rest, Words words) {
    return std::ranges::any_of(
        words, [rest](std::string_view word) { return http::begins_ignoring_case(rest, word); });
  };
  for (; !header.empty(); header.remove_prefix(1)) {
    bool found = false;
    switch (http::to_lower(header.front())) {
      case 'a': found = follows(header, {"authorization", "api-key", "apikey"}); break;
      case 'c': found = follows(header, {"cookie", "credential"}); break;
      case 'p': found = follows(header, {"password"}); break;
      case 's': found = follows(header, {"secret"}); break;
      case 't': found = follows(header, {"token"}); break;
      default: break;
    }
    if (found) return true;
  }
  return false;
}

std::string mask_credentials(std::string_view head) {
  std::string masked;
  masked.reserve(head.size());
  bool request_line = true;
  while (!head.empty()) {
    const size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    const size_t colon = request_line ? std::string_view::npos : line.find(':');
    if (colon != std::string_view::npos && names_a_credential(line.substr(0, colon))) {
      masked.append(line.substr(0, colon)).append(": ").append(credential_mask);
    } else {
      masked.append(line);
    }
    if (end < head.size()) masked.append("\r\n");
    head.remove_prefix(std::min(end + 2, head.size()));
    request_line = false;
  }
  return masked;
}

}  // namespace ringpost::dialect
