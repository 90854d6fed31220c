// What it costs to render and sign a request of 1 KiB in each dialect, beside the bare signature of
// the same bytes, measured in the same run: what is above the reference is ours.
//
//   render_bench [--smoke]
//
// Rounds alternate and medians of this thread's CPU time are shown: the machine is not ours alone.

#include "../measure.h"
#include "base/assert.h"
#include "crypto/base64.h"
#include "crypto/ed25519.h"
#include "crypto/hmac.h"
#include "dialect/dialect.h"
#include "dialect/renderer.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::dialect {
namespace {

using bench::cpu_ns;
using bench::measure;
using bench::median;

constexpr size_t body_bytes = 1024;

/// One line of the table.
struct Case {
  std::string_view name;
  std::string_view dialect;
  std::string secret;
  std::string settings;
  std::string_view reference;  ///< Name of the bare signature; empty: it signs nothing.
  double limit_ns;             ///< 0: none.
};

std::string made_key(std::string_view prefix) {
  return std::string{prefix} + crypto::base64_encode(as_bytes(std::string(32, 'k')));
}

std::vector<Case> make_cases() {
  return {
      {"standard v1", "standard", made_key("whsec_"), "", "HMAC", 1100},
      {"standard v1a", "standard", made_key("whsk_"), "", "Ed25519", 0},
      {"bitrise", "bitrise", "secret", "", "HMAC", 1100},
      {"buildkite token", "buildkite", "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "{}", "", 1100},
      {"buildkite signature", "buildkite", "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
       R"({"token_mode":"signature"})", "HMAC", 1100},
      {"cloudevents structured", "cloudevents", "", "", "", 0},
      {"cloudevents binary", "cloudevents", "", R"({"mode":"binary"})", "", 0},
      {"git-status", "git-status", "token",
       R"({"host":"github","repository":"acme/shop",)"
       R"("commit":"3b1f6c0d9e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"})",
       "", 0},
  };
}

std::string make_body() {
  std::string body = R"({"build_slug":"7f3c9a10b2d44e6f","build_status":1,"note":")";
  body.append(body_bytes - body.size() - 2, 'x');
  return body + "\"}";
}

/// A renderer and what it is asked for again and again.
class Subject {
 public:
  Subject(const Case& about, const std::string& body) {
    subscription::Webhook webhook;
    webhook.dialect = about.dialect;
    webhook.secret = about.secret;
    webhook.settings = about.settings;
    webhook.destination = {.url = "https://ci.example.org/in",
                           .tls = true,
                           .host = "ci.example.org",
                           .port = 443,
                           .target = "/in"};
    webhook.headers = {{"X-Team", "mobile"}};
    renderer_ = make_renderer(webhook);
    event_.id = "b-128";
    event_.source = "app/c0ffee1234abcd56";
    event_.type = "build/finished";
    event_.time = "2031-05-04T09:08:07Z";
    event_.data_content_type = "application/json";
    event_.data = as_bytes(body);
    event_.data_checked = true;  // As ingest marks it.
  }

  bool render() {
    request_.clear();
    const auto failed = renderer_->render({.event = event_,
                                           .delivery = Ulid{},
                                           .attempt = 1,
                                           .now = from_unix_ns(1'935'738'487'000'000'000),
                                           .origin = "relay.example.org"},
                                          request_);
    return !failed;
  }

 private:
  std::unique_ptr<Renderer> renderer_;
  journal::EventView event_;
  Request request_;
};

void run(int rounds, uint64_t calls) {
  const std::string body = make_body();
  RINGPOST_ASSERT(body.size() == body_bytes);
  const std::string seed(32, 'k');
  const crypto::HmacSha256Key hmac{as_bytes(seed)};
  const auto ed25519 = crypto::Ed25519Key::from_bytes(as_bytes(seed));
  uint64_t sum = 0;
  const auto sign_hmac = [&] { return (sum += hmac.sign(as_bytes(body))[0]) > 0 || true; };
  const auto sign_ed25519 = [&] { return (sum += ed25519->sign(as_bytes(body))[0]) > 0 || true; };

  const std::vector<Case> cases = make_cases();
  std::vector<std::unique_ptr<Subject>> subjects;
  for (const Case& about : cases) subjects.push_back(std::make_unique<Subject>(about, body));
  std::vector<std::vector<double>> times(cases.size() + 2);
  for (int round = 0; round < rounds; ++round) {
    times[0].push_back(measure(calls, sign_hmac));
    times[1].push_back(measure(calls / 20 + 1, sign_ed25519));
    for (size_t index = 0; index < cases.size(); ++index) {
      const uint64_t own = cases[index].reference == "Ed25519" ? calls / 20 + 1 : calls;
      times[index + 2].push_back(measure(own, [&] { return subjects[index]->render(); }));
    }
  }
  const double bare_hmac = median(times[0]);
  const double bare_ed25519 = median(times[1]);
  for (size_t index = 0; index < cases.size(); ++index) {
    const Case& about = cases[index];
    std::printf("%-24s %8.0f ns", std::string{about.name}.c_str(), median(times[index + 2]));
    if (about.limit_ns > 0) std::printf(" (limit %.0f)", about.limit_ns);
    if (!about.reference.empty()) {
      const double bare = about.reference == "HMAC" ? bare_hmac : bare_ed25519;
      std::printf("   bare %s %.0f ns", std::string{about.reference}.c_str(), bare);
    }
    std::printf("\n");
  }
}

}  // namespace
}  // namespace ringpost::dialect

int main(int argument_count, char** arguments) {
  const bool smoke = argument_count > 1 && std::string_view{arguments[1]} == "--smoke";
  ringpost::dialect::run(smoke ? 1 : 15, smoke ? 100 : 20'000);
  return 0;
}
