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

void run(int rounds, uint64_t calls) {
  const std::string data = make_data();
  journal::EventView event;
  event.source = "app/c0ffee1234abcd56";
  event.type = "build/finished";
  event.data = as_bytes(data);
  const AttemptFacts facts{.event = event,
                           .delivery = *Ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
                           .now = from_unix_ns(1'935'652'087'123'456'789)};
  for (const Dialect* dialect : all()) {
    if (!dialect->verifies()) continue;
    const subscription::Webhook webhook = make_webhook(*dialect);
    const auto renderer = dialect->make_renderer(webhook);
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
    std::printf("%-10s head of %4zu bytes %7.0f ns   HMAC of %zu bytes alone %6.0f ns\n",
                std::string{dialect->name()}.c_str(), request.head.size(), median(rendering),
                data.size(), median(hashing));
  }
}

}  // namespace
}  // namespace ringpost::dialect

int main(int argument_count, char** arguments) {
  const bool smoke = argument_count > 1 && std::string_view{arguments[1]} == "--smoke";
  ringpost::dialect::run(smoke ? 1 : 15, smoke ? 100 : 50'000);
  return 0;
}
