// Goal: a whole run of the simulator tells a process that keeps its promises from one that does
// not. Method: a small store journals what is posted to it. Honest, it answers when the write is
// durable; the two others answer too early, or believe every block they read after a restart. Power
// fails in the middle; what the store finds afterwards is what it "delivers".

#include "sim/ledger.h"

#include "io/ring_contract.h"
#include "sim/disk.h"
#include "sim/http_producer.h"
#include "sim/ring.h"
#include "sim/world.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <list>
#include <memory>
#include <string>

namespace ringpost::sim {
namespace {

using io::Watched;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::seconds;

const io::Address store_address = address("127.0.0.1", 8420);
constexpr size_t slot_bytes = 4'096;
constexpr size_t slot_count = 400;

enum class Manner : uint8_t { honest, early, gullible };

/// Each posted body fills a slot of the journal, all with one letter, behind its id. A slot is
/// whole if it is as long as that.
class Store final : public Actor {
 public:
  Store(World& world, Manner manner) : ring_(world.add_ring()), manner_(manner) {
    bool direct = false;
    file_ = world.disk().open_journal("/data/journal", direct).value();
    ring_.accept<&Store::on_accept>(*this, accepting_, ring_.listen(store_address, {}).value());
    world.add_actor(*this, ring_);
  }

  void turn() override { ring_.turn(true); }
  Ring& ring() { return ring_; }
  static void set_next_slot(size_t slot) { next_slot_ = slot; }

 private:
  struct alignas(4096) Line {
    std::array<std::byte, slot_bytes> block{};
    Store* store = nullptr;
    io::Socket socket;
    Watched receiving, writing, sending, closing;
    HttpReader reader{HttpReader::Kind::request};
    bool over = false;
  };

  void on_accept(const io::Outcome& outcome) {
    if (!outcome) return;
    Line& line = lines_.emplace_back();
    line.store = this;
    line.socket = outcome.socket();
    line.receiving.then = [this, &line](const io::Outcome& received) {
      line.reader.push(as_text(received.bytes));
      line.over = !received.more;
      go_on(line);
    };
    line.writing.then = [this, &line](const io::Outcome&) {
      if (manner_ != Manner::early) answer(line);
      go_on(line);
    };
    line.sending.then = [this, &line](const io::Outcome&) { go_on(line); };
    io::receive(ring_, line.receiving, line.socket);
  }

  void go_on(Line& line) {
    if (line.writing.op.pending() || line.sending.op.pending() || line.closing.op.pending()) return;
    if (line.over) return io::close(ring_, line.closing, line.socket);
    const auto request = line.reader.next();
    if (!request || next_slot_ == slot_count) return;
    std::memcpy(line.block.data(), request->body.data(), slot_bytes);
    io::write(ring_, line.writing, file_, slot_bytes * next_slot_++, line.block);
    if (manner_ == Manner::early) answer(line);
  }

  void answer(Line& line) {
    io::send(ring_, line.sending, line.socket,
             "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
  }

  static inline size_t next_slot_ = 0;

  Ring& ring_;
  const Manner manner_;
  io::File file_;
  io::Completion accepting_;
  std::list<Line> lines_;
};

std::string id_of(std::string_view slot) {
  return std::string{slot.substr(0, slot.find(' '))};
}

/// What stands in the journal after the crash; the gullible take a slot's first words for the
/// whole.
void deliver_all(const Disk& disk, Manner manner, Ledger& ledger) {
  const std::string journal = disk.read_file("/data/journal");
  for (size_t at = 0; at < journal.size(); at += slot_bytes) {
    const std::string_view slot = std::string_view{journal}.substr(at, slot_bytes);
    if (slot[0] == '\0') continue;
    const bool whole = slot.find('\0') == std::string_view::npos;
    if (whole || manner == Manner::gullible) ledger.delivered(id_of(slot), slot);
  }
}

struct Tally {
  int unclean = 0;
  size_t acknowledged = 0;
  size_t lost = 0;
  size_t altered = 0;
};

Tally run_seeds(Manner manner, uint64_t seeds) {
  Tally tally;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    Prng prng(seed);
    World world({.seed = seed, .faults = Faults::random(prng)});
    world.disk().write_file("/data/journal", std::string(slot_bytes * slot_count, '\0'));
    Ledger ledger;
    HttpProducer producer(world, {.to = store_address}, [&ledger](const auto& exchange) {
      const std::string id = id_of(exchange.body);
      exchange.status() == 202 ? ledger.acknowledged(id) : ledger.indeterminate(id);
    });
    for (int i = 0; i < 100; ++i) {
      std::string body = "id" + std::to_string(i) + " ";
      body.resize(slot_bytes, static_cast<char>('a' + i % 26));
      ledger.posted(id_of(body), body);
      producer.post("/", std::move(body));
    }
    Store::set_next_slot(0);
    for (int life = 0; life < 4; ++life) {
      auto store = std::make_unique<Store>(world, manner);
      world.run_for(world.between(microseconds{1}, microseconds{20'000}));
      world.crash();
      store->ring().abandon_all();
      Ring& ring = store->ring();
      store.reset();
      world.remove_ring(ring);
      world.restart();
    }
    deliver_all(world.disk(), manner, ledger);
    const Ledger::Verdict verdict = ledger.verdict();
    tally.unclean += !verdict.clean();
    tally.acknowledged += ledger.acknowledged_count();
    tally.lost += verdict.lost.size();
    tally.altered += verdict.altered.size();
    EXPECT_TRUE(verdict.phantom.empty()) << verdict.to_text();
    if (manner == Manner::honest) {
      EXPECT_TRUE(verdict.clean()) << "seed " << seed << ": " << verdict.to_text();
    }
  }
  return tally;
}

TEST(Ledger, IsCleanForAStoreThatAnswersWhenTheWriteIsDurable) {
  const Tally tally = run_seeds(Manner::honest, 200);
  EXPECT_EQ(tally.unclean, 0);
  EXPECT_GT(tally.acknowledged, 2'000u);
}

TEST(Ledger, ConvictsAStoreThatAnswersBeforeTheWriteIsDurable) {
  EXPECT_GT(run_seeds(Manner::early, 50).lost, 5u);
}

TEST(Ledger, ConvictsAStoreThatBelievesTornBlocks) {
  EXPECT_GT(run_seeds(Manner::gullible, 100).altered, 5u);
}

TEST(Ledger, TellsLostPhantomAlteredAndDuplicatesApart) {
  Ledger ledger;
  for (const char* id : {"good", "lost", "pending", "altered", "refused", "retried", "unsure"}) {
    ledger.posted(id, "content");
  }
  for (const char* id : {"good", "lost", "pending", "altered"}) ledger.acknowledged(id);
  ledger.accounted("pending");
  ledger.delivered("good", "content");
  ledger.delivered("good", "content");
  ledger.delivered("altered", "c0ntent");
  ledger.refused("refused");
  ledger.delivered("refused", "content");
  ledger.refused("retried");
  ledger.indeterminate("retried");
  ledger.delivered("retried", "content");
  ledger.indeterminate("unsure");
  ledger.delivered("stranger", "content");
  const Ledger::Verdict verdict = ledger.verdict();
  EXPECT_EQ(verdict.to_text(), "lost: lost; phantom: refused stranger; altered: altered");
  EXPECT_EQ(verdict.duplicates, 1u);
}

}  // namespace
}  // namespace ringpost::sim
