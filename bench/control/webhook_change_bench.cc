// How long the relay's control side takes to come up with many webhooks, and from the request that
// creates one more to the moment at which every shard has seen it, beside one commit of SQLite.
//
//   webhook_change_bench [--smoke | --webhooks N]
//
// Limits: 1 million webhooks in at most 10 s; create to visible at most 5 ms (median, the file on
// the disk of the temporary directory). The shards' part is a fake that looks at once.

#include "../measure.h"
#include "control/control.h"
#include "control/store/store.h"
#include "crypto/digest.h"
#include "index/index.h"
#include "io/posix_disk.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <string>
#include <vector>

namespace ringpost::control {
namespace {

constexpr uint32_t shard_count = 2;
constexpr std::string_view token_text = "bench-token";

/// A relay without events needs nothing of its journals.
class NoJournals final : public JournalAccess {
 public:
  Result<journal::EventRef> read_event(journal::Position) override {
    return Error{Errc::not_found};
  }
  Result<StoredOutcome> read_outcome(journal::Position) override { return Error{Errc::not_found}; }
  Result<journal::Passage> pass_outcomes(journal::Position, journal::Position, uint32_t,
                                         const journal::VisitOutcome&) override {
    return Error{Errc::not_found};
  }
  Result<journal::Passage> pass_events(journal::Position, journal::Position, uint32_t,
                                       const journal::VisitEvent&) override {
    return Error{Errc::not_found};
  }
  Result<WallTime> created_at(uint32_t, uint32_t) override { return Error{Errc::not_found}; }
  std::vector<Segment> segments() const override { return {}; }
  uint32_t oldest(uint32_t) const override { return 0; }
  void want(uint32_t) override {}
  std::optional<Ready> take() override { return std::nullopt; }
  void on_sealed(uint32_t, uint32_t) override {}
  void write_index(std::shared_ptr<const index::OpenPart>) override {}
  uint64_t unindexed() const override { return 0; }
  Result<void> note_expiry(uint32_t, uint32_t) override { return {}; }
  void expire(uint32_t, uint32_t) override {}
  std::optional<Error> failure() const override { return std::nullopt; }
  uint64_t bytes() const override { return 0; }
};

class Shards final : public Post {
 public:
  void send(uint32_t shard, ToShard&& message) override {
    if (auto* published = std::get_if<SnapshotPublished>(&message)) {
      seen.push_back({shard, published->version});
    } else if (auto* reply = std::get_if<ApiReply>(&message)) {
      status = reply->response->status;
    }
  }

  std::deque<std::pair<uint32_t, uint64_t>> seen;
  uint16_t status = 0;
};

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

WallTime wall_now() {
  return std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now());
}

void need(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

void fill(Store& store, uint64_t count) {
  const auto filled = store.transaction([&]() -> Result<void> {
    for (uint64_t i = 0; i < count; ++i) {
      subscription::Webhook webhook;
      std::memcpy(webhook.id.bytes.data(), &i, sizeof i);
      webhook.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
      webhook.sources = {"app/" + std::to_string(i)};
      webhook.events = {"build/*"};
      webhook.destination = {.url = "https://ci.example.org/in", .host = "ci.example.org"};
      webhook.schedule_s = subscription::default_schedule();
      if (auto inserted = store.insert_webhook(webhook); !inserted) return inserted;
    }
    subscription::Token token;
    token.scopes = static_cast<uint8_t>(subscription::Scope::admin);
    token.sha256 = crypto::sha256(as_bytes(token_text));
    return store.insert_token(token);
  });
  need(filled.has_value(), "the store could not be filled");
}

void create_one(Control& control, Shards& shards) {
  auto request = std::make_unique<http::Request>();
  request->method = "POST";
  request->target = request->path = "/v1/webhooks";
  request->headers = {{"Authorization", "Bearer " + std::string{token_text}},
                      {"Content-Type", "application/json"}};
  request->body = R"({"url":"https://ci.example.org/in","sources":["app/new"]})";
  shards.status = 0;
  control.handle(0, ApiRequest{{}, std::move(request), {}}, wall_now(), Instant{});
  control.flush();
  while (!shards.seen.empty()) {
    const auto [shard, version] = shards.seen.front();
    shards.seen.pop_front();
    control.handle(shard, SnapshotSeen{version}, wall_now(), Instant{});
  }
  need(shards.status == 201, "a webhook was not created");
}

template <typename Work>
double median_ms(int rounds, Work work) {
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    const double start = now_s();
    work();
    times.push_back((now_s() - start) * 1e3);
  }
  return bench::median(std::move(times));
}

void run(const std::string& path, uint64_t count, int rounds) {
  StoreOpenResult opened = Store::open(path, {.keyring = Keyring{}.with_new_key()});
  need(opened.store != nullptr, opened.problem.c_str());
  Store& store = *opened.store;
  fill(store, count);

  subscription::SubscriptionTable table(0, HashKey{1, 2});
  NoJournals journals;
  Shards shards;
  Counters counters[shard_count];
  io::PosixDisk disk;
  index::Index history(disk, {.journal_directory = path + ".journal", .directory_id = {}}, {});
  for (uint16_t journal = 0; journal < shard_count; ++journal) history.begin(journal, 1);
  journal::CarriedPlaces places;
  const Control::Options options;
  Control control({store, table, journals, history, shards, places, {&counters[0], &counters[1]}},
                  options);
  const double start = now_s();
  need(control.load().has_value(), "the webhooks could not be loaded");
  const double load_s = now_s() - start;
  need(control.finish_recovery().has_value(), "the recovery failed");
  std::printf("%zu webhooks in force after %.2f s: %.2f s for 1 million (limit 10 s)\n",
              table.stats().webhooks, load_s, load_s / static_cast<double>(count) * 1e6);

  int value = 0;
  const double commit_ms = median_ms(rounds, [&] {
    need(store.set_meta("bench", std::to_string(++value)).has_value(), "a commit failed");
  });
  const double create_ms = median_ms(rounds, [&] { create_one(control, shards); });
  std::printf("create to visible %.2f ms (limit 5 ms); one commit of SQLite %.2f ms: %.1f x\n",
              create_ms, commit_ms, create_ms / commit_ms);
}

}  // namespace
}  // namespace ringpost::control

int main(int argc, char** argv) {
  uint64_t count = 100'000;
  int rounds = 200;
  if (argc == 2 && std::strcmp(argv[1], "--smoke") == 0) {
    count = 100;
    rounds = 3;
  }
  if (argc == 3 && std::strcmp(argv[1], "--webhooks") == 0) {
    count = std::strtoull(argv[2], nullptr, 10);
  }
  std::string directory = std::filesystem::temp_directory_path() / "ringpost-bench-XXXXXX";
  if (count == 0 || mkdtemp(directory.data()) == nullptr) return 2;
  ringpost::control::run(directory + "/control.db", count, rounds);
  std::filesystem::remove_all(directory);
  return 0;
}
