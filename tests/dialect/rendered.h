#pragma once

#include "dialect/dialect.h"
#include "dialect/renderer.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

// One event, rendered for one webhook: for the tests of all dialects.

namespace ringpost::dialect {

/// The Bitrise specification's example, 245 bytes.
inline constexpr std::string_view build_finished =
    R"({"build_slug":"7f3c9a10b2d44e6f","build_number":128,"app_slug":"c0ffee1234abcd56",)"
    R"("build_status":1,"build_triggered_workflow":"release","git":{"provider":"github",)"
    R"("src_branch":"feature/login","dst_branch":"main","pull_request_id":57,"tag":null}})";

inline subscription::Webhook webhook(std::string dialect, std::string secret) {
  subscription::Webhook made;
  made.dialect = std::move(dialect);
  made.secret = std::move(secret);
  made.destination = {.url = "https://ci.example.org/in?a=1",
                      .tls = true,
                      .host = "ci.example.org",
                      .port = 443,
                      .target = "/in?a=1"};
  made.headers = {{"X-Team", "mobile"}};
  return made;
}

struct Rendered {
  journal::EventView event;
  Request request;
  std::string& head = request.head;
  std::string_view origin = "relay.example.org";
  std::string_view trace_parent{};
  uint32_t attempt = 1;
  WallTime now = from_unix_ns(1'935'738'487'123'456'789);

  Rendered() {
    event.source = "app/c0ffee1234abcd56";
    event.type = "build/finished";
    event.data = as_bytes(build_finished);
  }

  void render(const subscription::Webhook& to) { EXPECT_FALSE(try_render(to)); }

  std::optional<Error> try_render(const subscription::Webhook& to) {
    request.clear();
    return make_renderer(to)->render({.event = event,
                                      .delivery = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
                                      .attempt = attempt,
                                      .now = now,
                                      .origin = origin,
                                      .trace_parent = trace_parent},
                                     request);
  }

  std::string_view body() const { return as_text(request.body); }

  /// The value of a header that stands exactly once; a note otherwise.
  std::string header(const std::string& name) const {
    const size_t found = head.find("\r\n" + name + ": ");
    if (found == std::string::npos) return "(absent)";
    const size_t begin = found + name.size() + 4;
    if (head.find("\r\n" + name + ": ", begin) != std::string::npos) return "(twice)";
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

}  // namespace ringpost::dialect
