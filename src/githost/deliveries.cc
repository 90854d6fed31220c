#include "githost/deliveries.h"

#include "base/assert.h"
#include "githost/hooks.h"
#include "githost/json_values.h"
#include "http/query.h"
#include "http/syntax.h"

#include <algorithm>
#include <utility>

namespace ringpost::githost {
namespace {

namespace dom = simdjson::dom;

constexpr size_t pages_max = 50;
constexpr size_t text_bytes_max = 120;  // As ids of calls (incoming/receiver).

/// GitHub's entries are small; GitLab's hold the whole payload.
std::string_view page_size(GitHost host) {
  return host == GitHost::github ? "100" : "20";
}

std::string log_url(const Repository& repository, std::string_view hook) {
  return hook_url(repository, hook) +
         (repository.host == GitHost::github ? "/deliveries" : "/events");
}

uint16_t status_of(const std::string& text) {
  const auto number = http::parse_decimal(text);
  return number && *number < 1000 ? static_cast<uint16_t>(*number) : uint16_t{0};
}

/// A header of the call, whose name may be in any case.
std::string header_at(dom::element value, std::string_view name) {
  dom::object headers;
  if (value.at_pointer("/request_headers").get(headers)) return {};
  for (const auto [key, text] : headers) {
    std::string_view found;
    if (http::equal_ignoring_case(key, name) && !text.get(found)) return std::string{found};
  }
  return {};
}

LoggedCall github_call(dom::element value) {
  return {.number = text_at(value, "/id"),
          .id = text_at(value, "/guid"),
          .event = text_at(value, "/event"),
          .at = parse_rfc3339(text_at(value, "/delivered_at")).value_or(WallTime{}),
          .status = status_of(text_at(value, "/status_code"))};
}

LoggedCall gitlab_call(dom::element value) {
  LoggedCall call{.number = text_at(value, "/id"),
                  .id = header_at(value, "Idempotency-Key"),
                  .event = header_at(value, "X-Gitlab-Event"),
                  .at = {},
                  .status = status_of(text_at(value, "/response_status"))};
  if (call.id.empty()) call.id = header_at(value, "X-Gitlab-Event-UUID");
  if (call.event.empty()) call.event = text_at(value, "/trigger");
  return call;
}

bool is_usable(const LoggedCall& call) {
  const auto plain = [](const std::string& text) {
    return !text.empty() && text.size() <= text_bytes_max && http::is_field_text(text);
  };
  return plain(call.number) && plain(call.id) && call.event.size() <= text_bytes_max &&
         std::ranges::all_of(call.number, http::is_digit);
}

}  // namespace

bool has_delivery_log(GitHost host) {
  return host == GitHost::github || host == GitHost::gitlab;
}

bool is_older(std::string_view left, std::string_view right) {
  return left.size() != right.size() ? left.size() < right.size() : left < right;
}

DeliveryLog::DeliveryLog(const Repository& repository, std::string_view hook, LogEnd end)
    : repository_(repository),
      end_(std::move(end)),
      list_(log_url(repository, hook)),
      next_(std::string{list_}.append("?per_page=").append(page_size(repository.host))) {
  RINGPOST_ASSERT(has_delivery_log(repository.host));
}

Request DeliveryLog::request() const {
  RINGPOST_ASSERT(!is_complete());
  return request_to(repository_, "GET", next_);
}

std::optional<Failure> DeliveryLog::add(const Reply& reply, WallTime now) {
  if (auto failure = failure_of(repository_.host, reply, now)) return failure;
  dom::parser parser;
  dom::array entries;
  if (parser.parse(reply.body.data(), reply.body.size()).get(entries)) {
    return not_understood(repository_.host, "a list of a webhook's calls");
  }
  const bool github = repository_.host == GitHost::github;
  bool at_end = false;
  for (const dom::element value : entries) {
    LoggedCall call = github ? github_call(value) : gitlab_call(value);
    if (!is_usable(call)) {
      ++unreadable_;
      continue;
    }
    at_end = (github && call.at < end_.before) ||
             (!end_.number.empty() && !is_older(end_.number, call.number));
    if (at_end) break;
    if (numbers_.insert(call.number).second) calls_.push_back(std::move(call));
  }
  next_ = at_end ? std::string{} : next_page(list_, reply);
  cut_ = ++pages_ >= pages_max && !next_.empty();
  if (cut_) next_.clear();
  return std::nullopt;
}

Request ask_again(const Repository& repository, std::string_view hook, std::string_view number) {
  std::string url = log_url(repository, hook) + "/";
  http::append_percent_encoded(url, number);
  url += repository.host == GitHost::github ? "/attempts" : "/resend";
  return request_to(repository, "POST", std::move(url));
}

}  // namespace ringpost::githost
