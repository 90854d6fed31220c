#include "githost/reply.h"

#include "base/utf8.h"
#include "http/date.h"
#include "http/syntax.h"

#include <simdjson.h>

#include <algorithm>
#include <chrono>

namespace ringpost::githost {
namespace {

namespace dom = simdjson::dom;

constexpr auto pause_max = std::chrono::hours{24};

/// How long until the time that a rate limit names: seconds since 1970.
std::optional<Duration> until(std::string_view text, WallTime now) {
  const auto seconds = http::parse_decimal(http::trim(text));
  constexpr uint64_t beyond = 100'000'000'000;  // Year 5138.
  if (!seconds || *seconds == 0 || *seconds > beyond) return std::nullopt;
  const auto wait = std::chrono::seconds{*seconds} - now.time_since_epoch();
  return std::clamp<Duration>(std::chrono::duration_cast<Duration>(wait), std::chrono::seconds{1},
                              pause_max);
}

std::optional<Duration> pause_of(const Reply& reply, WallTime now) {
  if (const auto after = http::parse_retry_after(reply.header("Retry-After"), now)) {
    return std::clamp<Duration>(std::min<std::chrono::seconds>(*after, pause_max),
                                std::chrono::seconds{1}, pause_max);
  }
  // GitHub's name is also Gitea's and Bitbucket's; GitLab's has no X.
  for (const std::string_view name : {"X-RateLimit-Reset", "RateLimit-Reset"}) {
    if (auto wait = until(reply.header(name), now)) return wait;
  }
  return std::nullopt;
}

bool is_rate_limit(const Reply& reply) {
  if (reply.status == 429) return true;
  if (reply.status != 403) return false;
  return reply.header("X-RateLimit-Remaining") == "0" || !reply.header("Retry-After").empty();
}

/// What the host itself says is wrong; a short text, or none.
/// The text that a host's error is, or has as its message.
std::string_view message_in(dom::element error) {
  std::string_view text;
  if (!error.get(text)) return text;
  for (const char* pointer : {"/message", "/error/message", "/error_description", "/error"}) {
    if (!error.at_pointer(pointer).get(text) && !text.empty()) return text;
  }
  return {};
}

/// The host's own words, in brackets: GitHub says in a list what it means by "Validation Failed",
/// and Bitbucket Data Center has nothing but such a list.
std::string own_words(const Reply& reply) {
  constexpr size_t bytes_max = 300;
  dom::parser parser;
  dom::element root;
  if (reply.body.empty() || parser.parse(reply.body.data(), reply.body.size()).get(root)) return {};
  std::string words{message_in(root)};
  dom::array errors;
  if (!root.at_pointer("/errors").get(errors)) {
    for (const dom::element error : errors) {
      const std::string_view text = message_in(error);
      if (text.empty() || words.size() > bytes_max) continue;
      words.append(words.empty() ? "" : ": ").append(text);
    }
  }
  if (words.empty()) return {};
  words.resize(std::min(words.size(), bytes_max));
  std::ranges::replace_if(
      words, [](char byte) { return byte < ' ' || byte > '~'; }, ' ');
  return " (\"" + words + "\")";
}

std::string redirected(const Reply& reply) {
  std::string text = "redirects";
  const std::string_view place = reply.header("Location");
  if (http::is_field_text(place)) text.append(" to ").append(place.substr(0, 200));
  return text + ": the repository was moved or renamed; change its URL";
}

Failure failure_of_status(const Reply& reply) {
  switch (reply.status) {
    case 401: return {"says that the token is wrong or has expired; give a new one", {}, true};
    case 403:
      return {
          "says that the token may not do this; it must be allowed to manage webhooks", {}, true};
    case 404:
    case 410: return {"knows no such repository or webhook, or the token may not see it", {}, true};
    case 408: return {"waited too long for the request", {}, false};
    default: break;
  }
  if (reply.status >= 300 && reply.status < 400) return {redirected(reply), {}, true};
  if (reply.status >= 500) return {"failed itself", {}, false};
  return {"refused the request", {}, true};
}

}  // namespace

std::string_view Reply::header(std::string_view name) const {
  std::string_view rest = head;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto field = http::parse_field_line(line);
    if (field && http::equal_ignoring_case(field->name, name)) return field->value;
  }
  return {};
}

std::optional<Failure> failure_of(GitHost host, const Reply& reply, WallTime now) {
  if (reply.is_success()) return std::nullopt;
  const bool limited = is_rate_limit(reply);
  Failure failure =
      limited ? Failure{"wants fewer calls (rate limit)", {}, false} : failure_of_status(reply);
  // GitHub says with every answer when the limit's time begins anew.
  if (limited || !reply.header("Retry-After").empty()) failure.retry_after = pause_of(reply, now);
  failure.text = std::string{title(host)} + " answered " + std::to_string(reply.status) + ": it " +
                 failure.text + own_words(reply);
  if (failure.retry_after) {
    const auto wait = std::chrono::ceil<std::chrono::seconds>(*failure.retry_after);
    failure.text += ", and asks to wait " + std::to_string(wait.count()) + " s";
  }
  return failure;
}

Failure too_large(GitHost host) {
  return {
      std::string{title(host)} + "'s answer is longer than the relay reads, or did not end in time",
      {},
      true};
}

Failure not_understood(GitHost host, std::string_view what) {
  return {std::string{title(host)} + " answered something that is not " + std::string{what} +
              "; is the URL that of a " + std::string{title(host)} + " repository?",
          {},
          true};
}

std::string page_at(std::string_view list_url, std::string_view host_url) {
  if (host_url.empty()) return {};
  const size_t query = std::min(host_url.find('?'), host_url.size());
  return std::string{list_url}.append(host_url.substr(query, host_url.find('#') - query));
}

std::string next_page(std::string_view list_url, const Reply& reply) {
  std::string found;
  http::for_each_list_member(reply.header("Link"), [&](std::string_view member) {
    const size_t end = member.find('>');
    if (!member.starts_with('<') || end == std::string_view::npos) return;
    const std::string_view parameters = member.substr(end);
    const bool next = parameters.find("rel=\"next\"") != std::string_view::npos ||
                      parameters.find("rel=next") != std::string_view::npos;
    if (next) found = page_at(list_url, member.substr(1, end - 1));
  });
  return found;
}

}  // namespace ringpost::githost
