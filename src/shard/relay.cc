#include "shard/relay.h"

#include "base/log.h"
#include "control/stored_journals.h"
#include "net/tls.h"

#include <algorithm>
#include <set>
#include <utility>

namespace ringpost::shard {
namespace {

/// What came or was due this long before the newest record may have been attempted without one of
/// its own: several times delivery's outcome_delay at most, and what the disk takes for a write.
constexpr Duration unrecorded_time_max = std::chrono::seconds{2};

std::optional<std::string> check_ca(std::string_view pem) {
  if (net::ClientTls::create({.verify = true, .ca_pem = std::string(pem)})) return std::nullopt;
  return "holds no certificate in PEM form";
}

std::optional<std::string> check_destination(const net::EgressPolicy& policy,
                                             const subscription::Destination& to) {
  if (policy.allows_host(to.host, to.port, to.tls)) return std::nullopt;
  if (policy.leads_back(to.host, to.port)) {
    return "leads back to this relay; to allow that, set delivery.allow_own_addresses";
  }
  return to.tls ? "is in a private, loopback or denied network; to allow it, add the network to "
                  "delivery.allow_networks"
                : "must be https; to allow plain http, add the network to "
                  "delivery.plain_http_networks";
}

}  // namespace

/// The control side's messages go into the shards' mailboxes.
class Relay::ToShards final : public control::Post {
 public:
  explicit ToShards(Mailroom& mailroom) : mailroom_(mailroom) {}

  void send(uint32_t shard, control::ToShard&& message) override {
    mailroom_.to_shard(shard).send(std::move(message));
  }
  /// @returns whether messages are left that did not fit.
  bool flush() {
    bool behind = false;
    for (uint32_t shard = 0; shard < mailroom_.shard_count(); ++shard) {
      if (mailroom_.to_shard(shard).flush()) mailroom_.wake_shard(shard);
      behind |= mailroom_.to_shard(shard).behind();
    }
    return behind;
  }

 private:
  Mailroom& mailroom_;
};

class Relay::ToDesk final : public control::JournalOrders {
 public:
  explicit ToDesk(Mailroom& mailroom) : mailroom_(mailroom) {}

  void send(control::JournalOrder&& order) override {
    mailroom_.journal_orders().send(std::move(order));
  }
  /// @returns whether orders are left that did not fit.
  bool flush() {
    if (mailroom_.journal_orders().flush()) mailroom_.wake_journal();
    return mailroom_.journal_orders().behind();
  }

 private:
  Mailroom& mailroom_;
};

class Relay::ToPasswords final : public control::PasswordChecks {
 public:
  explicit ToPasswords(Mailroom& mailroom) : mailroom_(mailroom) {}

  void send(control::PasswordWanted&& wanted) override {
    mailroom_.passwords_wanted().send(std::move(wanted));
  }
  void flush() {
    if (mailroom_.passwords_wanted().flush()) mailroom_.wake_passwords();
  }

 private:
  Mailroom& mailroom_;
};

class Relay::ToStore final : public control::StoreSyncs {
 public:
  explicit ToStore(Mailroom& mailroom) : mailroom_(mailroom) {}

  void send(control::StoreSyncWanted wanted) override {
    mailroom_.store_syncs_wanted().send(std::move(wanted));
  }
  void flush() {
    if (mailroom_.store_syncs_wanted().flush()) mailroom_.wake_store();
  }

 private:
  Mailroom& mailroom_;
};

namespace {

void log_finding(const journal::Finding& finding) {
  using Kind = journal::Finding::Kind;
  const std::string text = journal::describe(finding);
  switch (finding.kind) {
    case Kind::note: return log_info(text);
    case Kind::torn_tail: return log_warning(text);
    case Kind::damage:
    case Kind::missing:
    case Kind::refused: return log_error(text);
  }
  RINGPOST_UNREACHABLE();
}

}  // namespace

/// Feeds what the journals hold to the table of what is pending and the idempotency window.
class Relay::Visitor final : public journal::RecoveryVisitor {
 public:
  Visitor(Relay& relay, WallTime wall_now, Instant now)
      : relay_(relay), pending_(relay.control_->recovered()), wall_now_(wall_now), now_(now) {}

  void on_event(journal::Position position, const journal::EventView& event, Bytes) override {
    const auto replaced = pending_.on_event(event, position);
    if (replaced) relay_.history_->replace(*replaced);
    relay_.latest_id_ = std::max(relay_.latest_id_, event.uid.time());
    relay_.latest_record_ = std::max(relay_.latest_record_, event.uid.time());
    if (!event.id_given) return;
    const auto key = relay_.window_.key(event.organization, event.source, event.id);
    relay_.window_.restore(key, relay_.window_.content(event), wall_now_ - event.accepted_at, now_);
  }

  void on_outcome(journal::Position position, const journal::OutcomeView& outcome) override {
    pending_.on_outcome(index::to_outcome(outcome, position));
    relay_.latest_record_ = std::max(relay_.latest_record_, outcome.started_at);
    relay_.recovered_pauses_.on_outcome(outcome, wall_now_);
  }

  /// The one place that tells people of findings, except of the one that ends the start: that is
  /// the start's problem.
  void on_finding(const journal::Finding& finding) override {
    using Kind = journal::Finding::Kind;
    relay_.last_finding_ = journal::describe(finding);
    const bool ends_start = finding.kind == Kind::refused ||
                            (finding.kind == Kind::missing && !relay_.options_.accept_loss);
    if (!ends_start) log_finding(finding);
  }

 private:
  Relay& relay_;
  control::PendingTable& pending_;
  const WallTime wall_now_;
  const Instant now_;
};

Relay::Relay(io::Disk& disk, control::Store& store, const RelayOptions& options)
    : disk_(disk),
      store_(store),
      options_(options),
      journal_directory_(options.data_dir + "/journal"),
      random_(options.seed),
      settings_(options.live),
      mailroom_(options.shard_count),
      counters_(std::make_unique<Counters[]>(options.shard_count)),
      pending_counts_(std::make_unique<subscription::PendingCounts[]>(options.shard_count)),
      table_(options.shard_count, options.hash_keys[0]),
      window_(options.idempotency, {options.hash_keys[1], options.hash_keys[2]}),
      begun_(store),
      orders_(std::make_unique<ToDesk>(mailroom_)),
      passwords_(std::make_unique<ToPasswords>(mailroom_)),
      syncs_(std::make_unique<ToStore>(mailroom_)),
      post_(std::make_unique<ToShards>(mailroom_)),
      first_segments_(options.shard_count),
      pauses_(options.shard_count) {}

Relay::~Relay() {
  if (desk_ != nullptr) desk_->close_files();
}

std::unique_ptr<Relay> Relay::open(io::Disk& disk, control::Store& store,
                                   const RelayOptions& options, WallTime wall_now, Instant now,
                                   std::string& problem) {
  std::unique_ptr<Relay> relay(new Relay(disk, store, options));
  if (!relay->identify(problem)) return nullptr;
  // Before recovery reads the store: the token has to be in the table before a request carries it.
  bool kept = true;
  const auto token =
      control::mint_admin_token(store, wall_now, relay->random_, [&](const std::string& text) {
        kept = !options.keep_admin_token || options.keep_admin_token(text);
        return kept;
      });
  if (!token) {
    problem = kept ? "the first token cannot be stored: " + std::string(store.last_problem())
                   : "the admin token cannot be written to " + options.data_dir;
    return nullptr;
  }
  if (!relay->recover(wall_now, now, problem)) return nullptr;
  relay->distribute_pending();
  return relay;
}

/// The data directory's identity is part of every checksum in its journals: files of another
/// directory never pass for ours.
Result<void> Relay::identify(std::string& problem) {
  auto stored =
      control::read_stored_journals([this](std::string_view name) { return store_.meta(name); });
  if (!stored) {
    problem =
        "what the control store says of the journals cannot be used: " + describe(stored.error());
    return stored.error();
  }
  expected_ = std::move(stored->begun);
  if (stored->directory_id) {
    directory_id_ = *stored->directory_id;
    return {};
  }
  // Journals without the store that goes with them: starting would hide all they hold.
  const auto journals = disk_.list(journal_directory_);
  if (journals && !journals->empty()) {
    problem = control::unknown_journals(journal_directory_);
    return Error{Errc::not_found, Side::operator_};
  }
  directory_id_ = random_.next() | 1;
  auto kept =
      store_.set_meta(control::directory_id_name, control::directory_id_text(directory_id_));
  if (!kept) problem = "the control store cannot be used: " + std::string(store_.last_problem());
  return kept;
}

Result<void> Relay::recover(WallTime wall_now, Instant now, std::string& problem) {
  if (const auto made = disk_.make_directory(journal_directory_); !made) {
    problem = journal_directory_ + " cannot be created: " + describe(made.error());
    return made.error();
  }
  reader_ = std::make_unique<journal::Reader>(disk_, journal_directory_, directory_id_);
  keeper_ = std::make_unique<journal::SegmentKeeper>(
      disk_, journal::SegmentKeeper::Options{.journal_directory = journal_directory_,
                                             .directory_id = directory_id_,
                                             .segment_bytes = options_.segment_bytes});
  std::vector<const Counters*> counters;
  for (const Counters& shard : this->counters()) counters.push_back(&shard);

  if (const auto loaded = begun_.load(); !loaded) {
    problem = "the control store cannot be read: " + std::string(store_.last_problem());
    return loaded;
  }
  history_ = std::make_unique<index::Index>(
      disk_,
      index::Index::Options{.journal_directory = journal_directory_,
                            .directory_id = directory_id_,
                            .memory_max = options_.history_memory_max},
      log_finding);
  files_ = std::make_unique<control::JournalFiles>(*reader_, begun_, *orders_, *history_);
  control_ = std::make_unique<control::Control>(
      control::Control::Parts{.store = store_,
                              .table = table_,
                              .journals = *files_,
                              .history = *history_,
                              .post = *post_,
                              .places = places_,
                              .counters = counters,
                              .passwords = options_.password_thread ? passwords_.get() : nullptr,
                              .syncs = options_.store_thread ? syncs_.get() : nullptr,
                              .pending_counts = {pending_counts_.get(), options_.shard_count},
                              .machine = options_.machine,
                              .is_known =
                                  [this](std::string_view organization, std::string_view source,
                                         std::string_view id, Instant at) {
                                    return window_.state(window_.key(organization, source, id),
                                                         at) !=
                                           ingest::IdempotencyWindow::State::absent;
                                  }},
      control::Control::Options{.checks = webhook_checks(),
                                .settings = options_.control,
                                .engine = options_.engine,
                                .engine_reason = options_.engine_reason,
                                .reload = [this] { return apply_reload(); },
                                .reload_done = options_.reload_done,
                                .prng_seed = random_.next()});
  if (const auto loaded = control_->load(); !loaded) {
    problem = "the control store cannot be read: " + std::string(store_.last_problem());
    return loaded.error();
  }

  const std::vector<uint16_t> journals = all_journals();
  Visitor visitor(*this, wall_now, now);
  auto report = journal::recover(
      disk_, journal_directory_,
      {.directory_id = directory_id_, .accept_loss = options_.accept_loss, .begun = expected_},
      visitor);
  if (!report) {
    problem = last_finding_.empty() ? journal_directory_ + ": " + describe(report.error())
                                    : last_finding_;
    return report.error();
  }
  report_.recovery = std::move(*report);
  control_->note_damages(report_.recovery.damages);
  if (const auto opened = open_journals(problem); !opened) return opened;
  if (const auto prepared = prepare_segments(wall_now, problem); !prepared) return prepared;
  files_->adopt(*keeper_, journals);
  files_->open_indexes(journals);
  desk_ = std::make_unique<JournalDesk>(
      disk_, *keeper_, mailroom_,
      JournalDesk::Options{.journal_directory = journal_directory_, .directory_id = directory_id_});
  return control_->finish_recovery();
}

/// Which journals there will be is known only after recovery; the control side is needed before.
std::vector<uint16_t> Relay::all_journals() const {
  std::set<uint16_t> journals;
  for (uint32_t shard = 0; shard < options_.shard_count; ++shard) {
    journals.insert(static_cast<uint16_t>(shard));
  }
  for (const journal::BegunJournal& begun : expected_) journals.insert(begun.journal);
  if (const auto found = disk_.list(journal_directory_)) {
    for (const std::string& name : *found) {
      if (const auto number = journal::parse_journal_name(name)) journals.insert(*number);
    }
  }
  return {journals.begin(), journals.end()};
}

/// A person's webhook is judged by the policy that is in force when they make it.
control::WebhookChecks Relay::webhook_checks() const {
  return {.allow_destination =
              [this](const subscription::Destination& to) {
                return check_destination(settings_.get()->policy, to);
              },
          .check_ca = check_ca};
}

/// The shards' part is in place before they are told (control::Reloads does that).
control::ReloadOutcome Relay::apply_reload() {
  if (!options_.reload) return {};
  Reloaded next = options_.reload();
  if (next.outcome.problems.empty()) {
    settings_.replace(std::move(next.live));
    control_->reconfigure(std::move(next.control));
  }
  return std::move(next.outcome);
}

Error Relay::no_segment(const Error& error, std::string& problem) const {
  const std::string path = keeper_->path().empty() ? journal_directory_ : keeper_->path();
  problem =
      path + ": a journal segment cannot be prepared: " + describe(error) +
      (error.code == Errc::out_of_space ? "; free some space or lower journal.segment_bytes" : "");
  return error;
}

/// Takes charge of all journals, and has the store remember them before one is written to.
Result<void> Relay::open_journals(std::string& problem) {
  control::BegunJournals::Oldest oldest;
  const auto open = [&](const journal::JournalEnd& end) {
    auto opened = keeper_->open(end);
    if (opened) oldest[end.journal] = keeper_->oldest(end.journal);
    return opened;
  };
  for (const journal::JournalEnd& end : report_.recovery.journals) {
    if (const auto opened = open(end); !opened) return no_segment(opened.error(), problem);
  }
  for (uint32_t shard = 0; shard < options_.shard_count; ++shard) {
    if (oldest.contains(shard)) continue;
    const auto opened = open({.journal = static_cast<uint16_t>(shard)});
    if (!opened) return no_segment(opened.error(), problem);
  }
  auto remembered = begun_.replace(std::move(oldest));
  if (!remembered) {
    problem = "the control store cannot be used: " + std::string(store_.last_problem());
  }
  return remembered;
}

/// Every shard's journal goes on with a new segment; those of former shards only age.
Result<void> Relay::prepare_segments(WallTime wall_now, std::string& problem) {
  for (uint32_t shard = 0; shard < options_.shard_count; ++shard) {
    keeper_->want(static_cast<uint16_t>(shard));
  }
  for (uint32_t left = options_.shard_count; left > 0;) {
    const auto progress = keeper_->step(wall_now);
    using Progress = journal::SegmentKeeper::Progress;
    if (progress == Progress::no_space) {
      return no_segment({Errc::out_of_space, Side::disk}, problem);
    }
    if (progress == Progress::failed) return no_segment(keeper_->error(), problem);
    if (progress != Progress::ready) continue;
    if (auto ready = keeper_->take()) {
      first_segments_[ready->journal] = ready->segment;
      keeper_->want(ready->journal);  // The second one is made while the relay runs already.
      --left;
    }
  }
  return {};
}

/// Which shard is to have each delivery is decided once, by one snapshot.
void Relay::distribute_pending() {
  const subscription::Snapshot& snapshot = table_.current();
  recovered_ = control_->take_recovered();
  recovered_->assign([&](uint32_t webhook_number) {
    const subscription::Webhook* webhook = snapshot.webhook(webhook_number);
    return webhook != nullptr ? subscription::owner_shard(*webhook, options_.shard_count) : 0;
  });
  report_.pending_deliveries = recovered_->count();
  shards_to_restore_ = options_.shard_count;
  recovered_pauses_.for_each(snapshot, [&](const subscription::Webhook& webhook, WallTime until) {
    pauses_[subscription::owner_shard(webhook, options_.shard_count)].push_back(
        {.webhook = {webhook.number, webhook.updated_at},
         .url = webhook.destination.url,
         .until = until});
  });
  recovered_pauses_ = {};
}

/// Whether an attempt may have begun that left no durable record: of an event that came right
/// before the end, or a retry that was due then. Starts are written a moment after they happen, and
/// a crash loses that moment. An orderly stop records all.
bool Relay::perhaps_begun(const delivery::PendingDelivery& pending) const {
  const bool first = pending.attempts == 0;
  const WallTime earliest = first ? pending.id.time() : pending.next_attempt_at;
  const Duration before = latest_record_ - earliest;
  if (before > unrecorded_time_max || (!first && before < -unrecorded_time_max)) return false;
  return std::ranges::none_of(report_.recovery.journals, [&](const journal::JournalEnd& end) {
    return end.journal == pending.event.journal() &&
           end.previous_kind == journal::PreviousEnd::sealed;
  });
}

std::unique_ptr<Shard> Relay::make_shard(uint32_t index, io::Ring& ring, net::Resolver& resolver) {
  ShardOptions options{
      .journal = {.journal = static_cast<uint16_t>(index), .directory_id = directory_id_},
      .token_hash_keys = {options_.hash_keys[3], options_.hash_keys[4]},
      .ids_after = latest_id_};
  mailroom_.set_shard_waker(index, &ring.waker());
  auto shard = std::make_unique<Shard>(
      Shard::Parts{.index = index,
                   .ring = ring,
                   .resolver = resolver,
                   .settings = settings_,
                   .reader = table_.reader(index),
                   .window = window_,
                   .places = places_,
                   .mailroom = mailroom_,
                   .counters = counters(),
                   .pending_counts = {pending_counts_.get(), options_.shard_count}},
      options);
  shard->provide(*first_segments_[index]);
  for (const delivery::PendingPause& pause : pauses_[index]) shard->restore(pause);
  restore(*shard, index);
  return shard;
}

/// Shards do this at the same time; the last one has no more need of the table.
void Relay::restore(Shard& shard, uint32_t index) {
  recovered_->for_each(index, [&](journal::Position position, const Ulid& uid,
                                  const std::vector<index::PendingDelivery>& open) {
    for (const index::PendingDelivery& pending : open) {
      delivery::PendingDelivery delivery{.id = journal::delivery_id(uid, pending.webhook_number),
                                         .event = position,
                                         .webhook_number = pending.webhook_number,
                                         .attempts = pending.attempts,
                                         .next_attempt_at = pending.next_attempt_at};
      delivery.perhaps_begun = perhaps_begun(delivery);
      shard.restore(delivery);
    }
  });
  if (--shards_to_restore_ == 0) recovered_.reset();
}

bool Relay::control_turn(WallTime wall_now, Instant now) {
  control_->note_queue(mailroom_.control_messages());
  control::JournalNews journal_news;
  while (mailroom_.journal_news().receive(journal_news)) files_->on_news(std::move(journal_news));
  control::PasswordChecked checked;
  while (mailroom_.passwords_checked().receive(checked)) {
    control_->on_password_checked(checked, wall_now, now);
  }
  // All news first, from every shard: a person who asks sees whatever was acknowledged before.
  control::ToControl message;
  for (uint32_t shard = 0; shard < options_.shard_count; ++shard) {
    while (mailroom_.to_control(shard).receive(message)) {
      if (std::holds_alternative<control::ApiRequest>(message)) {
        requests_.push_back(std::move(message));
        request_shards_.push_back(shard);
      } else {
        control_->handle(shard, std::move(message), wall_now, now);
      }
    }
  }
  control::StoreSynced synced;
  while (mailroom_.store_synced().receive(synced)) {
    control_->on_store_synced(synced, wall_now, now);
  }
  for (size_t index = 0; index < requests_.size(); ++index) {
    control_->handle(request_shards_[index], std::move(requests_[index]), wall_now, now);
  }
  requests_.clear();
  request_shards_.clear();
  control_->flush();
  const bool more = control_->step(wall_now, now);
  const bool behind = orders_->flush();
  passwords_->flush();
  syncs_->flush();
  return post_->flush() || behind || more;
}

bool Relay::password_turn() {
  control::PasswordWanted wanted;
  if (!mailroom_.passwords_wanted().receive(wanted)) return false;
  mailroom_.passwords_checked().send(control::check_password(wanted));
  if (mailroom_.passwords_checked().flush()) mailroom_.wake_control();
  return true;
}

bool Relay::store_turn(control::LogSync& log) {
  control::StoreSyncWanted wanted;
  if (!mailroom_.store_syncs_wanted().receive(wanted)) return false;
  const auto synced = log.sync();
  mailroom_.store_synced().send({.failure = synced ? std::nullopt : std::optional{synced.error()}});
  if (mailroom_.store_synced().flush()) mailroom_.wake_control();
  return false;
}

bool Relay::control_has_messages() {
  if (!mailroom_.journal_news().empty() || !mailroom_.passwords_checked().empty()) return true;
  if (!mailroom_.store_synced().empty()) return true;
  for (uint32_t shard = 0; shard < options_.shard_count; ++shard) {
    if (!mailroom_.to_control(shard).empty()) return true;
  }
  return false;
}

}  // namespace ringpost::shard
