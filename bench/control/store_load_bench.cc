// How long the control store takes to load, beside SQLite alone reading the same rows, and what the
// seals are of it; and what a rotation takes.
//
//   store_load_bench [--smoke | --webhooks N]
//
// Limit: 1 million webhooks in at most 10 s. CPU time of this thread; the file is in the page
// cache.

#include "control/store/store.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <time.h>

namespace ringpost::control {
namespace {

double cpu_s() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double timed(const std::function<void()>& work) {
  const double start = cpu_s();
  work();
  return cpu_s() - start;
}

void need(const Result<void>& result, const Store& store) {
  if (result) return;
  std::fprintf(stderr, "%s\n", std::string{store.last_problem()}.c_str());
  std::exit(1);
}

std::unique_ptr<Store> open(const std::string& path, const Keyring& keyring) {
  StoreOpenResult opened = Store::open(path, {.keyring = keyring});
  if (opened.store == nullptr) {
    std::fprintf(stderr, "%s\n", opened.problem.c_str());
    std::exit(1);
  }
  return std::move(opened.store);
}

void fill(Store& store, uint64_t count) {
  need(store.transaction([&]() -> Result<void> {
    for (uint64_t i = 0; i < count; ++i) {
      subscription::Webhook webhook;
      std::memcpy(webhook.id.bytes.data(), &i, sizeof i);
      webhook.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
      webhook.headers = {{"X-Team", "mobile"}};
      webhook.sources = {"app/" + std::to_string(i)};
      webhook.destination = {.url = "https://ci.example.org/in", .host = "ci.example.org"};
      webhook.schedule_s = subscription::default_schedule();
      if (auto inserted = store.insert_webhook(webhook); !inserted) return inserted;
    }
    return {};
  }),
       store);
}

/// SQLite's part: every column of every row, looked at.
uint64_t read_rows(const std::string& path) {
  Database database;
  uint64_t bytes = 0;
  if (!database.open(path, 1000)) std::exit(1);
  auto rows = database.prepare("SELECT * FROM webhook ORDER BY number");
  if (!rows) std::exit(1);
  while (rows->step() == Statement::Step::row) {
    for (int column = 0; column < 23; ++column) bytes += rows->blob(column).size();
  }
  return bytes;
}

void open_seals(const Keyring& keyring, uint64_t count) {
  const Sealer sealer(keyring);
  const Sealer::Place place{.table = "webhook", .column = "secret", .row = std::string_view("id")};
  const std::string sealed = sealer.seal(place, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  for (uint64_t i = 0; i < 2 * count; ++i) {  // A secret and headers each.
    if (!sealer.open(place, as_bytes(sealed))) std::exit(1);
  }
}

void run(const std::string& path, uint64_t count) {
  const Keyring keyring = Keyring{}.with_new_key();
  auto store = open(path, keyring);
  fill(*store, count);
  uint64_t loaded = 0;
  const double load = timed([&] {
    need(store->load([&](subscription::Webhook&&) { ++loaded; }, [](subscription::Token&&) {}),
         *store);
  });
  const double plain = timed([&] { read_rows(path); });
  const double seals = timed([&] { open_seals(keyring, count); });
  const double rotation = timed([&] { need(store->reseal(keyring.with_new_key()), *store); });
  const double each = 1e6 / static_cast<double>(count);
  std::printf("%llu webhooks: load %.2f us each, %.2f s for 1 million (limit 10 s)\n",
              static_cast<unsigned long long>(loaded), load * each, load * each);
  std::printf("  SQLite alone %.2f us each: %.2f x; opening the seals %.2f us of it\n",
              plain * each, load / plain, seals * each);
  std::printf("  a rotation %.2f us each\n", rotation * each);
}

}  // namespace
}  // namespace ringpost::control

int main(int argc, char** argv) {
  uint64_t count = 100'000;
  if (argc == 2 && std::strcmp(argv[1], "--smoke") == 0) count = 100;
  if (argc == 3 && std::strcmp(argv[1], "--webhooks") == 0)
    count = std::strtoull(argv[2], nullptr, 10);
  std::string directory = std::filesystem::temp_directory_path() / "ringpost-bench-XXXXXX";
  if (count == 0 || mkdtemp(directory.data()) == nullptr) return 2;
  ringpost::control::run(directory + "/control.db", count);
  std::filesystem::remove_all(directory);
  return 0;
}
