#include "model.h"

#include "base/assert.h"
#include "base/prng.h"
#include "replica/checkpoint.h"
#include "replica/outcome_fold.h"
#include "replica/ownership.h"
#include "replica/record.h"
#include "replica/sequence_check.h"
#include "replica/writer_check.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <vector>

namespace ringpost::replica::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t cluster_id = 0xc1a551f1ed;
constexpr size_t node_count = 3;
constexpr int events_max = 60;
constexpr Duration faults_for = seconds(120);
constexpr Duration peace_max = seconds(240);

enum Topic : size_t { events, outcomes };

struct Entry {
  uint32_t epoch = 0;
  uint64_t landing = 0;  // Unique in a run, in the order of landing.
  std::vector<std::byte> bytes;
};

struct Log {
  uint32_t epoch = 1;
  std::vector<Entry> entries;
};

/// A block on its way to the engine.
struct Outgoing {
  std::vector<std::byte> bytes{};
  uint64_t uid = 0;              // Of the event in it.
  std::optional<Renew> renew{};  // In it.
};

struct SpooledEvent {
  uint64_t uid = 0;
  bool acknowledged = false;
};

struct OwnFact {
  ClaimName claim;
  OutcomeFold::Fact fact;
};

enum class Word : uint8_t { unknown, mine, not_mine };

struct Detail {
  uint64_t incarnation = 0;
  size_t topic = 0;
  uint32_t epoch = 0;
  WriterCheck::Acknowledged acknowledged{};
  Outgoing block{};
  DeliveryTag tag = 0;
  ClaimName claim{};
};

struct Node {
  uint16_t number = 0;
  uint64_t incarnation = 0;
  bool up = true;
  bool cut = false;
  Duration frozen_until{};
  Duration silent_since{};  // Of a cut.
  Duration fetches_from{};  // Until then it appends, and reads nothing.
  bool session_ended = false;
  Duration clock_offset{};
  int64_t clock_ppm = 0;

  std::unique_ptr<Ownership> ownership;
  OutcomeFold fold;
  CheckpointReader checkpoints;
  std::array<std::optional<SequenceCheck>, 2> sequences;
  std::array<uint64_t, 2> position{};
  std::array<uint32_t, 2> read_epoch{};
  std::array<uint32_t, 2> known_epoch{};
  std::array<WriterCheck, 2> written;
  std::array<std::deque<Outgoing>, 2> queue;
  std::array<bool, 2> landing{};
  std::deque<Detail> answers;  // Not heard yet.
  std::array<uint64_t, 2> sequence{};
  bool reading = false;

  std::optional<ClaimName> working_under;
  std::set<DeliveryTag> own_ended;
  std::vector<OwnFact> own_facts;
  std::set<DeliveryTag> under_way;
  std::map<DeliveryTag, Duration> due;
  std::map<DeliveryTag, uint32_t> tries;
  uint32_t outcomes_open = 0;
  Duration checkpoint_at{};
  uint64_t settled_mark = 0;

  Word word = Word::unknown;
  std::deque<SpooledEvent> spool;

  Writer writer() const { return {number, incarnation}; }
};

struct Task {
  enum class Kind : uint8_t {
    read,
    tick,
    learn,
    land,
    land_again,
    acknowledge,
    attempt_ends,
    produce,
    chaos,
    restart,
    heal,
    group_back,
  };
  Duration at{};
  uint64_t order = 0;
  Kind kind{};
  size_t node = 0;
  size_t index = 0;  // Into details_, or a topic.

  bool operator>(const Task& other) const {
    return std::tie(at, order) > std::tie(other.at, other.order);
  }
};

/// The payload of an OUTCOME here. The journal's codec is tried in record_test.cc.
std::vector<std::byte> encode_fact(const OutcomeFold::Fact& fact) {
  std::vector<std::byte> bytes(13);
  store_le(&bytes[0], static_cast<uint8_t>(fact.kind));
  store_le(&bytes[1], fact.tag);
  store_le(&bytes[9], fact.attempt);
  return bytes;
}

OutcomeFold::Fact decode_fact(Bytes bytes) {
  return {.kind = static_cast<OutcomeFold::Fact::Kind>(load_le<uint8_t>(&bytes[0])),
          .tag = load_le<uint64_t>(&bytes[1]),
          .attempt = load_le<uint32_t>(&bytes[9])};
}

/// Every third event goes to two webhooks.
std::vector<OutcomeFold::Target> targets_of(uint64_t uid) {
  std::vector<OutcomeFold::Target> targets{{1, uid * 2}};
  if (uid % 3 == 0) targets.push_back({2, uid * 2 + 1});
  return targets;
}

class Model {
 public:
  explicit Model(const ModelOptions& options)
      : options_(options), random_(options.seed * 31 + static_cast<uint64_t>(options.broken)) {
    for (size_t index = 0; index < node_count; ++index) add_node(index);
    at(seconds(3), Task::Kind::chaos, 0);
    at(milliseconds(100), Task::Kind::produce, 0);
  }

  ModelResult run() {
    while (!tasks_.empty() && now_ < faults_for + peace_max) {
      const Task task = tasks_.top();
      tasks_.pop();
      now_ = task.at;
      if (faults_ && now_ >= faults_for) end_faults();
      if (!faults_ && is_settled()) break;
      perform(task);
    }
    result_.runs = 1;
    judge();
    return result_;
  }

 private:
  // --- time and chance ---

  void at(Duration delay, Task::Kind kind, size_t node, size_t index = 0) {
    tasks_.push({now_ + delay, ++order_, kind, node, index});
  }
  Duration between(Duration low, Duration high) {
    return Duration{static_cast<int64_t>(
        random_.between(static_cast<uint64_t>(low.count()), static_cast<uint64_t>(high.count())))};
  }
  /// Exponentially distributed.
  Duration about(Duration mean) {
    const double uniform = (static_cast<double>(random_.below(1u << 30)) + 1) / (1u << 30);
    return Duration{static_cast<int64_t>(-std::log(uniform) * static_cast<double>(mean.count()))};
  }
  bool chance(uint64_t percent) { return random_.chance(percent, 100); }
  size_t keep(Detail detail) {
    details_.push_back(std::move(detail));
    return details_.size() - 1;
  }

  Instant local(const Node& node) const {
    return Instant{node.clock_offset + now_ + now_ / 1'000'000 * node.clock_ppm};
  }
  bool frozen(const Node& node) const { return node.frozen_until > now_; }
  bool is(Broken broken) const { return options_.broken == broken; }

  void perform(const Task& task) {
    Node& node = nodes_[task.node];
    using Kind = Task::Kind;
    switch (task.kind) {
      case Kind::produce: return produce();
      case Kind::chaos: return chaos();
      case Kind::group_back: return group_back();
      case Kind::land: return land(node, task.index);
      case Kind::land_again: return land_again(task.index);
      case Kind::restart: return start(node);
      case Kind::heal: return heal(node);
      default: break;
    }
    if (!node.up) {
      if (task.kind == Kind::tick || task.kind == Kind::learn) at(seconds(1), task.kind, task.node);
      if (task.kind == Kind::read) node.reading = false;
      return;
    }
    if (frozen(node)) {
      return at(node.frozen_until - now_ + about(milliseconds(5)), task.kind, task.node,
                task.index);
    }
    switch (task.kind) {
      case Kind::read: return read(node);
      case Kind::tick: return tick(node);
      case Kind::learn: return learn(node);
      case Kind::acknowledge: return acknowledge(node);
      case Kind::attempt_ends: return attempt_ends(node, details_[task.index]);
      default: RINGPOST_UNREACHABLE();
    }
  }

  // --- nodes ---

  void add_node(size_t index) {
    Node& node = nodes_[index];
    node.number = static_cast<uint16_t>(index);
    node.clock_offset = between(seconds(0), seconds(100'000));
    const int64_t ppm = is(Broken::clock_rates) ? 200'000 : 1000;
    node.clock_ppm = static_cast<int64_t>(random_.below(static_cast<uint64_t>(2 * ppm + 1))) - ppm;
    start(node);
    at(about(milliseconds(250)), Task::Kind::tick, index);
    at(about(milliseconds(500)), Task::Kind::learn, index);
  }

  OwnershipTiming timing() const {
    OwnershipTiming timing;
    if (is(Broken::wait)) timing.wait = {};
    return timing;
  }

  void start(Node& node) {
    node.up = true;
    ++node.incarnation;
    node.ownership = std::make_unique<Ownership>(node.writer(), timing());
    node.word = Word::unknown;
    for (size_t topic : {events, outcomes}) {
      node.sequence[topic] = 0;
      node.queue[topic].clear();
      node.landing[topic] = false;
      node.read_epoch[topic] = 0;
      node.known_epoch[topic] = 0;
    }
    node.answers.clear();
    node.outcomes_open = 0;
    node.under_way.clear();
    forget_work(node);
    begin_from_settled(node);
    // What lies above the last FORWARDED is appended again.
    for (const SpooledEvent& event : node.spool) {
      if (!event.acknowledged) append_event(node, event.uid);
    }
  }

  void stop(Node& node) {
    ++result_.restarts;
    node.up = false;
    node.cut = false;
    node.frozen_until = {};
    node.session_ended = false;
    for (size_t topic : {events, outcomes}) {
      // What is in the network already may still land.
      if (!node.queue[topic].empty() && chance(50)) {
        at(between(milliseconds(1), seconds(25)), Task::Kind::land_again, node.number,
           keep({.topic = topic, .block = node.queue[topic].front()}));
      }
      node.queue[topic].clear();
      const WriterCheck stored = node.written[topic];
      node.written[topic] = {};
      node.written[topic].restore(stored.kept());
    }
    size_t unsure = node.spool.size() > 3 ? node.spool.size() - random_.below(3) : 0;
    for (; unsure < node.spool.size(); ++unsure) node.spool[unsure].acknowledged = false;
    at(between(seconds(1), seconds(20)), Task::Kind::restart, node.number);
  }

  void forget_work(Node& node) {
    node.working_under.reset();
    node.own_ended.clear();
    node.own_facts.clear();
    node.due.clear();
    node.tries.clear();
    node.settled_mark = 0;
  }

  // --- where reading begins ---

  bool is_there(size_t topic, const BlockName& block) const {
    const auto& entries = logs_[topic].entries;
    if (block.offset >= entries.size()) return false;
    return is(Broken::witness) || entries[block.offset].epoch == block.epoch;
  }

  bool speaks_of_this_log(const CheckpointHead& head) const {
    return head.through == 0 || is_there(events, {head.through_epoch, head.through - 1});
  }

  struct Beginning {
    OutcomeFold fold;
    std::array<uint64_t, 2> position{};
    std::optional<ClaimName> latest;
    bool from_checkpoint = false;
  };

  Beginning beginning() const {
    Beginning begin;
    if (!settled_) return begin;
    if (settled_->checkpoint && is_there(outcomes, *settled_->checkpoint)) {
      CheckpointReader reader;
      read_checkpoint(*settled_->checkpoint, reader);
      if (const auto& whole = reader.whole(); whole && speaks_of_this_log(whole->head)) {
        begin.fold.restore(whole->head, whole->pending);
        begin.position = {whole->head.through, whole->at.offset};
        begin.latest = whole->head.claim;
        begin.from_checkpoint = true;
        return begin;
      }
    }
    if (settled_->low_water_mark > 0 && is_there(events, settled_->witness)) {
      begin.fold = OutcomeFold(settled_->low_water_mark);
      begin.position = {settled_->low_water_mark, 0};
      if (settled_->claim.offset < settled_->low_water_mark) begin.latest = settled_->claim;
    }
    return begin;
  }

  void read_checkpoint(const BlockName& from, CheckpointReader& reader) const {
    const auto block = read_block(logs_[outcomes].entries[from.offset].bytes, cluster_id);
    for (const RecordView& record : block->records) {
      if (record.type != RecordType::checkpoint) continue;
      if (const auto chunk = decode_checkpoint(record.payload)) {
        reader.on_chunk(from, *chunk, std::nullopt);
      }
    }
  }

  void begin_from_settled(Node& node) {
    Beginning begin = beginning();
    if (begin.from_checkpoint) ++result_.from_checkpoint;
    ++result_.restores;
    check_restored(begin);
    node.ownership->begin_at(begin.latest);
    node.fold = std::move(begin.fold);
    node.position = begin.position;
    node.checkpoints = {};
    for (size_t topic : {events, outcomes}) {
      node.sequences[topic].emplace(node.position[topic] == 0);
      const uint64_t position = node.position[topic];
      node.read_epoch[topic] = position == 0 || position > logs_[topic].entries.size()
                                   ? 0
                                   : logs_[topic].entries[position - 1].epoch;
    }
    wake(node);
  }

  /// Reads both logs to their ends and compares with a state that was made of all of them.
  void check_restored(const Beginning& begin) {
    OutcomeFold restored = begin.fold;
    OutcomeFold whole;
    for (size_t topic : {events, outcomes}) {
      fold_log(topic, begin.position[topic], restored);
      fold_log(topic, 0, whole);
    }
    for (const PendingDelivery& pending : whole.pending()) {
      if (!restored.is_pending(pending.tag) && !truly_ended_.contains(pending.tag)) {
        ++result_.restored_wrong;
      }
    }
    for (const PendingDelivery& pending : restored.pending()) {
      if (!whole.is_pending(pending.tag) && !truly_ended_.contains(pending.tag)) {
        ++result_.restored_wrong;
      }
    }
  }

  void fold_log(size_t topic, uint64_t from, OutcomeFold& fold) const {
    const auto& entries = logs_[topic].entries;
    for (uint64_t offset = from; offset < entries.size(); ++offset) {
      fold_block({entries[offset].epoch, offset}, entries[offset].bytes, fold);
    }
  }

  void fold_block(const BlockName& at, Bytes bytes, OutcomeFold& fold) const {
    const auto block = read_block(bytes, cluster_id);
    bool is_events = false;
    for (const RecordView& record : block->records) {
      switch (record.type) {
        case RecordType::event: fold_event(at, record, fold); break;
        case RecordType::fence: fold.on_fence(decode_fence(record.payload)->claim); break;
        case RecordType::outcome: fold_outcome(record, fold); break;
        default: break;
      }
      is_events = record.type != RecordType::fence && record.type != RecordType::outcome &&
                  record.type != RecordType::checkpoint;
    }
    if (is_events) fold.on_events_block(at);
  }

  static void fold_event(const BlockName& at, const RecordView& record, OutcomeFold& fold) {
    const std::vector<OutcomeFold::Target> targets =
        targets_of(load_le<uint64_t>(record.payload.data()));
    fold.on_event({at.offset, record.ordinal}, targets);
  }

  static OutcomeFold::Verdict fold_outcome(const RecordView& record, OutcomeFold& fold) {
    const auto outcome = decode_outcome(record.payload);
    return fold.on_outcome(outcome->claim, decode_fact(outcome->outcome));
  }

  // --- appending ---

  void append(Node& node, size_t topic, RecordType type, Bytes payload, Outgoing out = {}) {
    BlockBuilder builder;
    builder.add(type, payload);
    out.bytes = builder.seal(node.writer(), cluster_id, ++node.sequence[topic]);
    node.queue[topic].push_back(std::move(out));
    send_next(node, topic);
  }

  void append_event(Node& node, uint64_t uid) {
    std::array<std::byte, 8> payload{};
    store_le(payload.data(), uid);
    append(node, events, RecordType::event, payload, {.uid = uid});
  }

  /// Blocks of a node land in their order: the producer is idempotent. A request may hang for long,
  /// and all behind it wait.
  void send_next(Node& node, size_t topic) {
    if (node.landing[topic] || node.queue[topic].empty()) return;
    node.landing[topic] = true;
    const bool hangs = faults_ && !options_.only_crashes && chance(3);
    at(hangs ? between(milliseconds(1), seconds(25)) : about(milliseconds(20)), Task::Kind::land,
       node.number, topic | node.incarnation << 1);
  }

  void land(Node& node, size_t index) {
    const size_t topic = index & 1;
    if (!node.up || node.incarnation != index >> 1) return;
    node.landing[topic] = false;
    const bool in_network = chance(30);
    if (silent_until_ > now_ || (node.cut && !in_network)) {
      node.landing[topic] = true;
      const Duration wait = std::max<Duration>(silent_until_ - now_, milliseconds(500));
      return at(wait + about(milliseconds(50)), Task::Kind::land, node.number, index);
    }
    if (node.queue[topic].empty()) return;
    Outgoing block = std::move(node.queue[topic].front());
    node.queue[topic].pop_front();
    put(topic, block);
    // A retry whose first copy was not lost lands later, too.
    if (faults_ && chance(2)) {
      at(between(milliseconds(1), seconds(25)), Task::Kind::land_again, node.number,
         keep({.topic = topic, .block = block}));
    }
    const WriterCheck::Acknowledged acknowledged{logs_[topic].entries.size() - 1,
                                                 crc_of(block.bytes)};
    node.answers.push_back({.topic = topic,
                            .epoch = logs_[topic].epoch,
                            .acknowledged = acknowledged,
                            .block = std::move(block)});
    at(about(milliseconds(10)), Task::Kind::acknowledge, node.number);
    send_next(node, topic);
  }

  void land_again(size_t index) {
    const Detail& detail = details_[index];
    put(detail.topic, detail.block);
  }

  static uint32_t crc_of(Bytes block) { return load_le<uint32_t>(&block[44]); }

  void put(size_t topic, const Outgoing& block) {
    Log& log = logs_[topic];
    log.entries.push_back({log.epoch, ++landings_, block.bytes});
    look_at(topic, log.entries.back());
    for (Node& node : nodes_) wake(node);
  }

  /// Keeps the truth about what the logs hold.
  void look_at(size_t topic, const Entry& entry) {
    const BlockName at{entry.epoch, logs_[topic].entries.size() - 1};
    const auto block = read_block(entry.bytes, cluster_id);
    const RecordView& record = block->records.front();
    if (record.type == RecordType::claim) look_at_claim(*decode_claim(record.payload));
    if (record.type == RecordType::outcome) {
      const auto outcome = decode_outcome(record.payload);
      const OutcomeFold::Fact fact = decode_fact(outcome->outcome);
      if (fact.kind == OutcomeFold::Fact::Kind::delivered) truly_ended_.insert(fact.tag);
      const bool given_up = fact.kind == OutcomeFold::Fact::Kind::given_up;
      if (fold_outcome(record, truth_) != OutcomeFold::Verdict::void_ && given_up) {
        truly_ended_.insert(fact.tag);
        given_up_by_[fact.tag] = outcome->claim;
      }
      return;
    }
    fold_block(at, entry.bytes, truth_);
  }

  void look_at_claim(const Claim& claim) {
    ++result_.claims;
    if (!options_.only_crashes) return;
    for (const Node& node : nodes_) {
      if (node.number != claim.writer.node && node.ownership->held()) ++result_.taken_over;
    }
  }

  /// Answers come in the order of the appends.
  void acknowledge(Node& node) {
    if (node.cut) return at(seconds(1), Task::Kind::acknowledge, node.number);
    if (node.answers.empty()) return;
    const Detail detail = std::move(node.answers.front());
    node.answers.pop_front();
    if (detail.topic == outcomes) node.outcomes_open -= std::min(node.outcomes_open, 1u);
    for (SpooledEvent& event : node.spool) {
      if (detail.block.uid != 0 && event.uid == detail.block.uid) event.acknowledged = true;
    }
    if (is(Broken::lease_by_reading) && detail.block.renew) {
      node.ownership->on_renew({}, *detail.block.renew, local(node));
    }
    hear_of_leader(node, detail.topic, detail.epoch);
    if (!node.written[detail.topic].on_acknowledged(detail.acknowledged) &&
        !is(Broken::writer_check)) {
      notice_rollback(node, std::nullopt);
    }
  }

  // --- reading ---

  void wake(Node& node) {
    if (node.reading) return;
    node.reading = true;
    at(about(milliseconds(faults_ && !options_.only_crashes && chance(3) ? 2000 : 50)),
       Task::Kind::read, node.number);
  }

  void read(Node& node) {
    node.reading = false;
    if (!reads(node)) return;  // The next tick tries again.
    for (size_t topic : {events, outcomes}) {
      if (!read_topic(node, topic)) return wake(node);
    }
    act(node);
  }

  /// @returns false if there is more, or all is to be read again.
  bool read_topic(Node& node, size_t topic) {
    const auto& entries = logs_[topic].entries;
    if (is_truncated(node, topic)) {
      notice_rollback(node, topic == events ? std::optional(divergence(node)) : std::nullopt);
      return false;
    }
    uint64_t left = faults_ && chance(10) ? random_.between(1, 3) : entries.size();
    while (node.position[topic] < entries.size()) {
      if (left-- == 0) return false;
      const uint64_t offset = node.position[topic]++;
      node.read_epoch[topic] = entries[offset].epoch;
      if (!take_block(node, topic, {entries[offset].epoch, offset}, entries[offset].bytes))
        return false;
    }
    return true;
  }

  bool reads(const Node& node) const {
    return !node.cut && silent_until_ <= now_ && node.fetches_from <= now_;
  }

  bool is_truncated(const Node& node, size_t topic) const {
    const auto& entries = logs_[topic].entries;
    const uint64_t position = node.position[topic];
    if (position > entries.size()) return true;
    if (is(Broken::truncation) || position == 0) return false;
    return entries[position - 1].epoch != node.read_epoch[topic];
  }

  /// Where the log that the node knows ends.
  uint64_t divergence(const Node& node) const {
    const auto& entries = logs_[events].entries;
    const auto other = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
      return entry.epoch > node.read_epoch[events];
    });
    return static_cast<uint64_t>(other - entries.begin());
  }

  /// @returns false if all is to be read again.
  bool take_block(Node& node, size_t topic, const BlockName& at, Bytes bytes) {
    const auto block = read_block(bytes, cluster_id);
    if (!block) {
      ++result_.broken_blocks;
      return true;
    }
    switch (node.sequences[topic]->check(at.offset, block->header)) {
      case SequenceCheck::Verdict::altered: ++result_.broken_blocks; [[fallthrough]];
      case SequenceCheck::Verdict::repeated:
        if (topic == events) node.fold.on_events_block(at);
        return true;
      case SequenceCheck::Verdict::hole:
        if (is(Broken::truncation) || is(Broken::writer_check)) break;
        notice_rollback(node, std::nullopt);
        return false;
      case SequenceCheck::Verdict::fresh: break;
    }
    for (const RecordView& record : block->records) take_record(node, at, record);
    if (topic == events) {
      node.fold.on_events_block(at);
      node.ownership->on_block(named(at));
    }
    if (const auto fence = node.fold.fence()) node.ownership->on_fence(*fence);
    return true;
  }

  BlockName named(const BlockName& block) const {
    return is(Broken::epoch) ? BlockName{0, block.offset} : block;
  }

  void take_record(Node& node, const BlockName& at, const RecordView& record) {
    const BlockName name = named(at);
    switch (record.type) {
      case RecordType::event: return fold_event(at, record, node.fold);
      case RecordType::claim: return take_claim(node, name, *decode_claim(record.payload));
      case RecordType::renew: return take_renew(node, name, *decode_renew(record.payload));
      case RecordType::release:
        return node.ownership->on_release(name, *decode_release(record.payload));
      case RecordType::fence: node.fold.on_fence(decode_fence(record.payload)->claim); return;
      case RecordType::outcome: fold_outcome(record, node.fold); return;
      case RecordType::checkpoint:
        return node.checkpoints.on_chunk(at, *decode_checkpoint(record.payload), node.fold.fence());
      default: return;
    }
  }

  void take_claim(Node& node, const BlockName& name, const Claim& claim) {
    const bool own = claim.writer.node == node.number;
    if (is(Broken::own_late_claim) && own && node.ownership->held()) return;
    node.ownership->on_claim(name, claim, local(node));
    if (node.ownership->held() == name)
      landing_of_[{node.number, name}] = logs_[events].entries[name.offset].landing;
  }

  void take_renew(Node& node, const BlockName& name, const Renew& renew) {
    const auto state = node.ownership->state(local(node));
    if (is(Broken::revival) && state == Ownership::State::expired && node.working_under) return;
    node.ownership->on_renew(name, renew, local(node));
  }

  /// @param end  where the lost part of `events` begins, if that is known.
  void notice_rollback(Node& node, std::optional<uint64_t> end) {
    ++result_.rollbacks_noticed;
    const uint64_t from = node.ownership->on_rollback(local(node), 0, end.value_or(0));
    forget_work(node);
    node.fold = OutcomeFold(from);
    node.checkpoints = {};
    node.position = {from, 0};
    for (size_t topic : {events, outcomes}) {
      node.sequences[topic]->begin_again(node.position[topic] == 0, logs_[topic].entries.size());
      node.written[topic].forget();
    }
    node.read_epoch = {from == 0 ? 0 : logs_[events].entries[from - 1].epoch, 0};
    // FORWARDED goes back, so that a restart before all is appended goes on with it.
    for (SpooledEvent& event : node.spool) {
      event.acknowledged = false;
      append_event(node, event.uid);
    }
    wake(node);
  }

  // --- working ---

  void tick(Node& node) {
    at(between(milliseconds(20), milliseconds(400)), Task::Kind::tick, node.number);
    if (reads(node)) in_contact(node);
    act(node);
    begin_attempt(node);
    write_checkpoint(node);
    publish_settled(node);
    clear_spool(node);
  }

  void in_contact(Node& node) {
    wake(node);
    if (node.position[events] == logs_[events].entries.size() && !is_truncated(node, events)) {
      node.ownership->on_end_of_log(local(node));
    }
    for (size_t topic : {events, outcomes}) {
      hear_of_leader(node, topic, logs_[topic].epoch);
      if (is(Broken::writer_check)) continue;
      while (const auto offset = node.written[topic].next(local(node))) {
        const auto& entries = logs_[topic].entries;
        std::optional<uint32_t> crc;
        if (*offset < entries.size()) crc = crc_of(entries[*offset].bytes);
        if (!node.written[topic].on_read(*offset, crc)) return notice_rollback(node, std::nullopt);
      }
    }
  }

  static void hear_of_leader(Node& node, size_t topic, uint32_t epoch) {
    if (node.known_epoch[topic] != epoch) node.written[topic].on_leader_changed();
    node.known_epoch[topic] = epoch;
  }

  void act(Node& node) {
    const auto held = node.ownership->held();
    if (held != node.working_under) {
      forget_work(node);
      node.working_under = held;
      node.checkpoint_at = now_ + between(seconds(2), seconds(15));
    }
    const Ownership::Work work{.idle = node.under_way.empty() && node.outcomes_open == 0,
                               .low_water_mark = node.fold.low_water_mark()};
    while (const auto action = node.ownership->next(local(node), work)) write(node, *action);
  }

  void write(Node& node, const Ownership::Action& action) {
    if (const auto* claim = std::get_if<Claim>(&action)) {
      append(node, events, RecordType::claim, encode(*claim));
    } else if (const auto* renew = std::get_if<Renew>(&action)) {
      append(node, events, RecordType::renew, encode(*renew), {.renew = *renew});
    } else if (const auto* release = std::get_if<Release>(&action)) {
      append(node, events, RecordType::release, encode(*release));
    } else if (is(Broken::fence)) {
      node.ownership->on_fence(std::get<Fence>(action).claim);
    } else {
      append(node, outcomes, RecordType::fence, encode(std::get<Fence>(action)));
    }
  }

  void begin_attempt(Node& node) {
    if (!node.ownership->may_attempt(local(node)) || node.ownership->held() != node.working_under)
      return;
    for (const PendingDelivery& pending : node.fold.pending()) {
      const DeliveryTag tag = pending.tag;
      if (node.own_ended.contains(tag) || node.under_way.contains(tag) || node.due[tag] > now_)
        continue;
      judge_attempt(node, pending);
      node.under_way.insert(tag);
      at(between(milliseconds(10), seconds(3)), Task::Kind::attempt_ends, node.number,
         keep({.incarnation = node.incarnation, .tag = tag, .claim = *node.working_under}));
      return;
    }
  }

  /// Attempts run out, also when the claim has ended meanwhile.
  void attempt_ends(Node& node, const Detail& detail) {
    if (node.incarnation != detail.incarnation) return;
    using Kind = OutcomeFold::Fact::Kind;
    node.under_way.erase(detail.tag);
    const uint64_t luck = random_.below(100);
    const Kind kind = luck < 75 ? Kind::delivered : luck < 90 ? Kind::failed : Kind::given_up;
    const uint32_t attempt = ++node.tries[detail.tag];
    const OutcomeFold::Fact fact{.kind = kind, .tag = detail.tag, .attempt = attempt};
    if (node.working_under == detail.claim) {
      if (kind == Kind::failed)
        node.due[detail.tag] = now_ + between(milliseconds(100), seconds(4));
      else
        node.own_ended.insert(detail.tag);
      node.own_facts.push_back({detail.claim, fact});
    }
    ++node.outcomes_open;
    const std::vector<std::byte> payload = encode_fact(fact);
    append(node, outcomes, RecordType::outcome, encode(ClaimedOutcome{detail.claim, payload}));
  }

  void write_checkpoint(Node& node) {
    if (now_ < node.checkpoint_at || !node.ownership->may_attempt(local(node))) return;
    if (node.ownership->held() != node.working_under) return;
    node.checkpoint_at = now_ + between(seconds(2), seconds(15));
    OutcomeFold state = node.fold;  // And what it wrote itself and did not read back.
    for (const OwnFact& own : node.own_facts) state.on_outcome(own.claim, own.fact);
    for (const CheckpointChunk& chunk : state.checkpoint(*node.working_under)) {
      append(node, outcomes, RecordType::checkpoint, encode(chunk));
    }
  }

  void publish_settled(Node& node) {
    const Ownership& own = *node.ownership;
    if (!own.may_attempt(local(node)) || node.cut || own.firm_mark().offset <= node.settled_mark)
      return;
    if (settled_ && *own.held() < settled_->claim) return;  // Void behind a FENCE.
    node.settled_mark = own.firm_mark().offset;
    settled_ = Settled{.claim = *own.held(),
                       .low_water_mark = own.firm_mark().offset,
                       .witness = own.firm_mark().witness,
                       .checkpoint = std::nullopt};
    if (const auto& whole = node.checkpoints.whole()) settled_->checkpoint = whole->at;
    const auto decoded = decode_settled(encode(*settled_));
    if (!decoded || *decoded != *settled_) ++result_.broken_blocks;
  }

  /// What is settled leaves the spool, from the front.
  void clear_spool(Node& node) {
    while (!node.spool.empty()) {
      const auto place = place_of(node.spool.front().uid);
      if (!place || *place >= node.ownership->firm_mark().offset) return;
      if (*place >= node.position[events]) return;
      node.spool.pop_front();
    }
  }

  std::optional<uint64_t> place_of(uint64_t uid) const {
    const auto& entries = logs_[events].entries;
    for (uint64_t offset = 0; offset < entries.size(); ++offset) {
      const auto& bytes = entries[offset].bytes;
      if (bytes.size() != block_header_bytes + record_header_bytes + 8) continue;
      if (load_le<uint8_t>(&bytes[52]) != 1) continue;
      if (load_le<uint64_t>(&bytes[56]) == uid) return offset;
    }
    return std::nullopt;
  }

  // --- the group ---

  void learn(Node& node) {
    at(faults_ ? between(milliseconds(50), seconds(1)) : milliseconds(500), Task::Kind::learn,
       node.number);
    if (node.session_ended && !node.cut) {
      node.session_ended = false;
      lose_group(node);
    }
    if (node.cut) return;
    if (group_away_) return lose_group(node);
    const bool stale = faults_ && !options_.only_crashes && chance(3);
    hear(node, stale ? chance(50) : assigned_ == node.number);
  }

  void lose_group(Node& node) {
    if (node.word == Word::unknown) return;
    node.word = Word::unknown;
    if (is(Broken::look_after_lost)) return node.ownership->on_revoked();
    node.ownership->on_lost();
  }

  void hear(Node& node, bool mine) {
    const Word word = mine ? Word::mine : Word::not_mine;
    if (word == node.word) return;
    if (mine)
      node.ownership->on_assigned();
    else if (node.word == Word::mine)
      revoke(node);
    else
      node.ownership->on_assigned_elsewhere(local(node));
    node.word = word;
    act(node);
  }

  void revoke(Node& node) {
    const auto held = node.ownership->held();
    const bool waits = node.ownership->state(local(node)) == Ownership::State::waiting;
    node.ownership->on_revoked();
    if (!is(Broken::release_by_owner) || !held || !waits) return;
    append(node, events, RecordType::release, encode(Release{*held}));
  }

  void group_back() {
    group_away_ = false;
    assigned_ = random_.below(node_count);
  }

  // --- faults ---

  void produce() {
    if (produced_ >= events_max) return;
    at(between(milliseconds(400), milliseconds(2200)), Task::Kind::produce, 0);
    Node& node = nodes_[random_.below(node_count)];
    if (!node.up || frozen(node)) return;
    const uint64_t uid = static_cast<uint64_t>(++produced_);
    result_.events = uid;
    node.spool.push_back({uid, false});
    append_event(node, uid);
  }

  void chaos() {
    if (!faults_) return;
    at(between(milliseconds(300), milliseconds(2500)), Task::Kind::chaos, 0);
    if (options_.only_crashes) {
      if (silent_until_ <= now_ && !group_away_ && chance(10)) crash_broker();
      return;
    }
    Node& node = nodes_[random_.below(node_count)];
    if (options_.rollbacks && chance(6)) roll_back();
    const uint64_t kind = random_.below(100);
    if (kind < 35)
      assigned_ = random_.below(node_count);
    else if (kind < 52)
      freeze(node);
    else if (kind < 67)
      cut(node);
    else if (kind < 75)
      change_leader();
    else if (kind < 79 && node.up)
      stop(node);
    else if (kind < 81)
      crash_broker();
    else if (kind < 86)
      node.fetches_from = now_ + between(seconds(1), seconds(20));
  }

  void freeze(Node& node) {
    node.frozen_until = now_ + between(seconds(1), seconds(chance(50) ? 8 : 40));
    node.session_ended = node.session_ended || node.frozen_until - now_ > seconds(6);
  }

  void cut(Node& node) {
    if (node.cut || !node.up) return;
    node.cut = true;
    node.silent_since = now_;
    at(between(seconds(1), seconds(chance(50) ? 8 : 40)), Task::Kind::heal, node.number);
  }

  void heal(Node& node) {
    if (!node.cut) return;
    node.cut = false;
    node.session_ended = node.session_ended || now_ - node.silent_since > seconds(6);
    for (WriterCheck& written : node.written) written.on_connected();
    wake(node);
  }

  void change_leader() {
    for (Log& log : logs_) ++log.epoch;
  }

  /// All partitions are silent for some time; with the group's coordinator, everybody is `lost`.
  void crash_broker() {
    change_leader();
    silent_until_ = now_ + between(milliseconds(5500), seconds(10));
    if (!chance(60)) return;
    group_away_ = true;
    at(between(seconds(7), seconds(14)), Task::Kind::group_back, 0);
  }

  void roll_back() {
    const uint64_t which = random_.below(3);
    for (size_t topic : {events, outcomes}) {
      auto& entries = logs_[topic].entries;
      if (entries.size() < 20 || which == topic) continue;
      ++result_.rollbacks;
      entries.resize(entries.size() - random_.between(1, 12));
      ++logs_[topic].epoch;
    }
    fold_the_truth_again();
    for (Node& node : nodes_) wake(node);
  }

  void fold_the_truth_again() {
    truth_ = OutcomeFold();
    given_up_by_.clear();
    for (const Entry& entry : logs_[events].entries) {
      fold_block({entry.epoch, static_cast<uint64_t>(&entry - logs_[events].entries.data())},
                 entry.bytes, truth_);
    }
    for (const Entry& entry : logs_[outcomes].entries) {
      const auto block = read_block(entry.bytes, cluster_id);
      const RecordView& record = block->records.front();
      if (record.type == RecordType::fence) truth_.on_fence(decode_fence(record.payload)->claim);
      if (record.type != RecordType::outcome) continue;
      const auto outcome = decode_outcome(record.payload);
      const OutcomeFold::Fact fact = decode_fact(outcome->outcome);
      const bool given_up = fact.kind == OutcomeFold::Fact::Kind::given_up;
      if (fold_outcome(record, truth_) != OutcomeFold::Verdict::void_ && given_up) {
        given_up_by_[fact.tag] = outcome->claim;
      }
    }
  }

  void end_faults() {
    faults_ = false;
    if (!options_.only_crashes) assigned_ = 0;
    for (Node& node : nodes_) heal(node);
  }

  // --- what must hold ---

  void judge_attempt(const Node& node, const PendingDelivery& pending) {
    const auto& [event, tag] = std::tie(pending.event, pending.tag);
    ++result_.attempts;
    if (!attempted_.insert(tag).second) ++result_.duplicates;
    const ClaimName claim = *node.ownership->held();
    const bool alone = is_alone(node);
    if (!alone) ++result_.two_owners;
    const uint64_t landing = landing_of_[{node.number, claim}];
    if (landing < newest_started_.landing) {
      if (is_in_log(newest_started_) || !alone)
        ++result_.by_old_owner;
      else
        ++result_.after_lost_claim;
    } else {
      newest_started_ = {landing, claim};
    }
    const auto given_up = given_up_by_.find(tag);
    if (given_up == given_up_by_.end() || given_up->second == claim) return;
    // A node that began with a checkpoint cannot know of an end before it, if the event was
    // appended again behind it. That is what the owner's idempotency window is for.
    if (place_of(tag / 2) == event.offset) ++result_.after_the_end;
  }

  bool is_alone(const Node& node) const {
    return std::none_of(nodes_.begin(), nodes_.end(), [&](const Node& other) {
      return &other != &node && other.up && other.ownership->may_attempt(local(other));
    });
  }

  struct Started {
    uint64_t landing = 0;
    ClaimName claim;
  };

  bool is_in_log(const Started& started) const {
    const auto& entries = logs_[events].entries;
    return started.claim.offset < entries.size() &&
           entries[started.claim.offset].landing == started.landing;
  }

  /// As all nodes know it.
  uint64_t firm_mark() const {
    uint64_t mark = std::numeric_limits<uint64_t>::max();
    for (const Node& node : nodes_) mark = std::min(mark, node.ownership->firm_mark().offset);
    return mark;
  }

  /// One past the last EVENT.
  uint64_t events_end() const {
    const auto& entries = logs_[events].entries;
    for (uint64_t offset = entries.size(); offset > 0; --offset) {
      if (load_le<uint8_t>(&entries[offset - 1].bytes[52]) == 1) return offset;
    }
    return 0;
  }

  bool is_settled() const {
    if (now_ < checked_at_ + seconds(2)) return false;
    checked_at_ = now_;
    return produced_ >= events_max && now_ > faults_for + seconds(30) && unsettled() == 0 &&
           firm_mark() >= events_end();
  }

  uint64_t unsettled() const {
    uint64_t count = 0;
    for (int uid = 1; uid <= produced_; ++uid) {
      for (const OutcomeFold::Target& target : targets_of(static_cast<uint64_t>(uid))) {
        count += truly_ended_.contains(target.tag) ? 0 : 1;
      }
    }
    return count;
  }

  void judge() {
    result_.never_settled = unsettled();
    const uint64_t mark = firm_mark();
    for (uint64_t offset = mark; offset < events_end(); ++offset) {
      result_.never_firm += load_le<uint8_t>(&logs_[events].entries[offset].bytes[52]) == 1 ? 1 : 0;
    }
    check_restored(beginning());
  }

  const ModelOptions options_;
  Prng random_;
  Duration now_{};
  uint64_t order_ = 0;
  std::priority_queue<Task, std::vector<Task>, std::greater<>> tasks_;
  std::deque<Detail> details_;

  std::array<Log, 2> logs_;
  uint64_t landings_ = 0;
  Duration silent_until_{};
  std::array<Node, node_count> nodes_;
  bool faults_ = true;
  int produced_ = 0;
  size_t assigned_ = 0;
  bool group_away_ = false;
  std::optional<Settled> settled_;

  OutcomeFold truth_;
  std::set<DeliveryTag> truly_ended_;
  std::map<DeliveryTag, ClaimName> given_up_by_;
  std::set<DeliveryTag> attempted_;
  std::map<std::pair<uint16_t, ClaimName>, uint64_t> landing_of_;
  Started newest_started_;
  mutable Duration checked_at_{};
  ModelResult result_;
};

}  // namespace

bool ModelResult::good() const {
  return two_owners + by_old_owner + after_the_end + never_settled + never_firm + restored_wrong +
             broken_blocks + taken_over ==
         0;
}

void ModelResult::add(const ModelResult& other) {
  runs += other.runs;
  claims += other.claims;
  attempts += other.attempts;
  events += other.events;
  rollbacks += other.rollbacks;
  rollbacks_noticed += other.rollbacks_noticed;
  restarts += other.restarts;
  restores += other.restores;
  from_checkpoint += other.from_checkpoint;
  duplicates += other.duplicates;
  after_lost_claim += other.after_lost_claim;
  two_owners += other.two_owners;
  by_old_owner += other.by_old_owner;
  after_the_end += other.after_the_end;
  never_settled += other.never_settled;
  never_firm += other.never_firm;
  restored_wrong += other.restored_wrong;
  broken_blocks += other.broken_blocks;
  taken_over += other.taken_over;
}

std::string ModelResult::text() const {
  std::string text;
  const auto say = [&](std::string_view name, uint64_t value) {
    text.append(text.empty() ? "" : ", ").append(name).append(" ").append(std::to_string(value));
  };
  say("runs", runs);
  say("events", events);
  say("claims", claims);
  say("attempts", attempts);
  say("duplicates", duplicates);
  say("rollbacks", rollbacks);
  say("noticed", rollbacks_noticed);
  say("restarts", restarts);
  say("restores", restores);
  say("from a checkpoint", from_checkpoint);
  say("after a claim that was rolled back", after_lost_claim);
  text += ";";
  say("two owners", two_owners);
  say("by an old owner", by_old_owner);
  say("after the end", after_the_end);
  say("never settled", never_settled);
  say("never firm", never_firm);
  say("restored wrong", restored_wrong);
  say("broken blocks", broken_blocks);
  say("taken over", taken_over);
  return text;
}

ModelResult run_model(const ModelOptions& options) {
  return Model(options).run();
}

}  // namespace ringpost::replica::testing
