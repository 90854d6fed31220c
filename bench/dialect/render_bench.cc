// What it costs to render and sign a request of 1 KiB, for each dialect, beside one HMAC-SHA256 of
// the same body by the library, which a signed request cannot go below.
//
//   render_bench [--smoke]
//
// Rounds alternate and medians of this thread's CPU time are shown: the machine is not ours alone.

#include "base/assert.h"
#include "dialect/dialect.h"

#include <openssl/digest.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <time.h>
#include <vector>

namespace ringpost::dialect {
namespace {

double cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// CPU per call of `work`.
template <typename Work>
double measure(uint64_t calls, Work work) {
  const double start = cpu_ns();
  for (uint64_t call = 0; call < calls; ++call) work();
  return (cpu_ns() - start) / static_cast<double>(calls);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// A build's event of 1 KiB, as each dialect's producers send it.
std::string make_data() {
  std::string data =
      R"({"build_slug":"7f3c9a10b2d44e6f","build_number":128,"app_slug":"c0ffee1234abcd56","note":")";
  return data + std::string(1024 - data.size() - 2, 'x') + "\"}";
}

subscription::Webhook make_webhook(const Dialect& dialect) {
  subscription::Webhook webhook = dialect.defaults();
  webhook.destination = {.url = "https://ci.example.org/in",
                         .tls = true,
                         .host = "ci.example.org",
                         .port = 443,
                         .target = "/in"};
  webhook.headers = {{"X-Team", "mobile"}};
  webhook.secret = dialect.mint_secret();
  if (webhook.secret.empty()) webhook.secret = "a secret of 32 bytes, as is usual";
  RINGPOST_ASSERT(!dialect.read_settings("{}", webhook));
  return webhook;
}

/// One line of the table.
void run_case(const std::string& label, const subscription::Webhook& webhook,
              const std::string& data, int rounds, uint64_t calls) {
  journal::EventView event;
  event.source = "app/c0ffee1234abcd56";
  event.type = "build/finished";
  event.data = as_bytes(data);
  const AttemptFacts facts{.event = event,
                           .delivery = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
                           .now = from_unix_ns(1'935'652'087'123'456'789)};
  const auto renderer = make_renderer(webhook);
  Request request;
  std::vector<double> rendering;
  std::vector<double> hashing;
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  for (int round = 0; round < rounds; ++round) {
    rendering.push_back(measure(calls, [&] {
      request.clear();
      RINGPOST_ASSERT(!renderer->render(facts, request));
    }));
    hashing.push_back(measure(calls, [&] {
      HMAC(EVP_sha256(), webhook.secret.data(), webhook.secret.size(),
           reinterpret_cast<const uint8_t*>(data.data()), data.size(), digest, &size);
    }));
  }
  std::printf("%-28s head of %4zu bytes %7.0f ns   HMAC of %zu bytes alone %6.0f ns\n",
              label.c_str(), request.head.size(), median(rendering), data.size(), median(hashing));
}

/// As a CI platform's bodies are: many short members. 1 KiB.
std::string make_members(std::string_view first, std::string_view last) {
  std::string data = "{" + std::string{first} + R"("build":{"steps":[)";
  while (data.size() + last.size() < 960) {
    data += R"({"type":"trigger","async":false,"name":"a step"},)";
  }
  data += R"({"note":")";
  return data + std::string(1024 - data.size() - last.size() - 5, 'x') + R"("}]})" +
         std::string{last} + "}";
}

/// Buildkite's modes, with a body that is whole and with one that lacks both members.
void run_buildkite(int rounds, uint64_t calls) {
  subscription::Webhook webhook = make_webhook(*find("buildkite"));
  const std::string bare = make_members("", "");
  const std::string whole =
      make_members(R"("event":"build.finished",)",
                   R"(,"sender":{"id":"018f6b1e-0000-4000-8000-000000000001","name":"Ada"})");
  run_case("buildkite, token, completed", webhook, bare, rounds, calls);
  RINGPOST_ASSERT(!of(webhook).read_settings(R"({"token_mode":"signature"})", webhook));
  run_case("buildkite, signed, completed", webhook, bare, rounds, calls);
  run_case("buildkite, signed, whole", webhook, whole, rounds, calls);
}

void run(int rounds, uint64_t calls) {
  const std::string data = make_data();
  for (const Dialect* dialect : all()) {
    if (!dialect->verifies()) continue;
    run_case(std::string{dialect->name()}, make_webhook(*dialect), data, rounds, calls);
  }
  run_buildkite(rounds, calls);
}

}  // namespace
}  // namespace ringpost::dialect

int main(int argument_count, char** arguments) {
  const bool smoke = argument_count > 1 && std::string_view{arguments[1]} == "--smoke";
  ringpost::dialect::run(smoke ? 1 : 15, smoke ? 100 : 50'000);
  return 0;
}
