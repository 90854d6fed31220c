#include "control/store/replay_table.h"

#include "base/assert.h"
#include "control/store/rows.h"

#include <optional>
#include <utility>

namespace ringpost::control {
namespace {

constexpr const char* columns =
    "id, organization, token_sources, webhook_number, webhook, into_number, into_webhook, source,"
    " type, status, error, response_status, since, until, dry_run, again, created_at,"
    " state, state_reason, done_uid, done_webhook, planned_uid, planned_webhook, matched, sent,"
    " skipped, sample, updated_at";
constexpr int first_progress_column = 17;

constexpr ReplayState all_states[] = {ReplayState::running, ReplayState::paused, ReplayState::done,
                                      ReplayState::cancelled, ReplayState::failed};

std::optional<ReplayState> parse_state(std::string_view text) {
  for (const ReplayState state : all_states) {
    if (name(state) == text) return state;
  }
  return std::nullopt;
}

void bind_time(Statement& statement, int parameter, WallTime time) {
  statement.bind(parameter, to_unix_ns(time));
}

/// The texts of a progress, which a statement borrows until its `reset`.
struct ProgressTexts {
  explicit ProgressTexts(const ReplayProgress& progress)
      : done(progress.done_uid.to_text()),
        planned(progress.planned_uid.to_text()),
        sample(texts_to_json(progress.sample)) {}

  std::string done;
  std::string planned;
  std::string sample;
};

void bind_progress(Statement& statement, int first, const ReplayProgress& progress,
                   const ProgressTexts& texts) {
  statement.bind(first, name(progress.state));
  statement.bind(first + 1, progress.state_reason);
  statement.bind(first + 2, texts.done);
  statement.bind(first + 3, int64_t{progress.done_webhook});
  statement.bind(first + 4, texts.planned);
  statement.bind(first + 5, int64_t{progress.planned_webhook});
  statement.bind(first + 6, static_cast<int64_t>(progress.matched));
  statement.bind(first + 7, static_cast<int64_t>(progress.sent));
  statement.bind(first + 8, static_cast<int64_t>(progress.skipped));
  statement.bind(first + 9, texts.sample);
  bind_time(statement, first + 10, progress.updated_at);
}

/// @returns whether it is whole.
bool read_progress(const Statement& row, int first, ReplayProgress& progress) {
  const auto state = parse_state(row.text(first));
  const auto done = Ulid::parse(row.text(first + 2));
  const auto planned = Ulid::parse(row.text(first + 4));
  if (!state || !done || !planned || !read_texts(row.text(first + 9), progress.sample)) {
    return false;
  }
  progress.state = *state;
  progress.state_reason = row.text(first + 1);
  progress.done_uid = *done;
  progress.done_webhook = static_cast<uint32_t>(row.integer(first + 3));
  progress.planned_uid = *planned;
  progress.planned_webhook = static_cast<uint32_t>(row.integer(first + 5));
  progress.matched = static_cast<uint64_t>(row.integer(first + 6));
  progress.sent = static_cast<uint64_t>(row.integer(first + 7));
  progress.skipped = static_cast<uint64_t>(row.integer(first + 8));
  progress.updated_at = from_unix_ns(row.integer(first + 10));
  return true;
}

/// Reads a row of `SELECT <columns>`. @returns whether it is whole.
bool read_replay(const Statement& row, StoredReplay& replay) {
  const auto id = Ulid::parse(row.text(0));
  ReplayOrder& order = replay.order;
  if (!id || !read_texts(row.text(2), order.token_sources)) return false;
  replay.id = *id;
  order.organization = row.text(1);
  order.webhook_number = static_cast<uint32_t>(row.integer(3));
  order.webhook = row.text(4);
  order.into_number = static_cast<uint32_t>(row.integer(5));
  order.into = row.text(6);
  order.source = row.text(7);
  order.type = row.text(8);
  order.status = row.text(9);
  order.error = row.text(10);
  order.response_status = row.text(11);
  order.since = from_unix_ns(row.integer(12));
  order.until = from_unix_ns(row.integer(13));
  order.dry_run = row.integer(14) != 0;
  order.again = row.integer(15) != 0;
  replay.created_at = from_unix_ns(row.integer(16));
  return read_progress(row, first_progress_column, replay.progress);
}

}  // namespace

std::string_view name(ReplayState state) {
  switch (state) {
    case ReplayState::running: return "running";
    case ReplayState::paused: return "paused";
    case ReplayState::done: return "done";
    case ReplayState::cancelled: return "cancelled";
    case ReplayState::failed: return "failed";
  }
  RINGPOST_UNREACHABLE();
}

Result<void> ReplayTable::prepare(Database& database) {
  database_ = &database;
  const std::pair<Statement*, std::string> all[] = {
      {&insert_, "INSERT INTO replay (" + std::string{columns} +
                     ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"
                     " ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)"},
      {&update_,
       "UPDATE replay SET state = ?1, state_reason = ?2, done_uid = ?3, done_webhook = ?4,"
       " planned_uid = ?5, planned_webhook = ?6, matched = ?7, sent = ?8, skipped = ?9,"
       " sample = ?10, updated_at = ?11 WHERE id = ?12"},
      {&remove_, "DELETE FROM replay WHERE id = ?1"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = database.prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  return {};
}

Result<void> ReplayTable::insert(const StoredReplay& replay) {
  const ReplayOrder& order = replay.order;
  const std::string id = replay.id.to_text();
  const std::string sources = texts_to_json(order.token_sources);
  const ProgressTexts texts(replay.progress);
  insert_.bind(1, id);
  insert_.bind(2, order.organization);
  insert_.bind(3, sources);
  insert_.bind(4, int64_t{order.webhook_number});
  insert_.bind(5, order.webhook);
  insert_.bind(6, int64_t{order.into_number});
  insert_.bind(7, order.into);
  insert_.bind(8, order.source);
  insert_.bind(9, order.type);
  insert_.bind(10, order.status);
  insert_.bind(11, order.error);
  insert_.bind(12, order.response_status);
  bind_time(insert_, 13, order.since);
  bind_time(insert_, 14, order.until);
  insert_.bind(15, int64_t{order.dry_run});
  insert_.bind(16, int64_t{order.again});
  bind_time(insert_, 17, replay.created_at);
  bind_progress(insert_, first_progress_column + 1, replay.progress, texts);
  return database_->run(insert_);
}

Result<void> ReplayTable::set_progress(const Ulid& id, const ReplayProgress& progress) {
  const std::string id_text = id.to_text();
  const ProgressTexts texts(progress);
  bind_progress(update_, 1, progress, texts);
  update_.bind(12, id_text);
  if (auto done = database_->run(update_); !done) return done;
  if (database_->changed_rows() == 1) return {};
  return database_->fail(Errc::not_found, Side::self, "there is no replay " + id_text);
}

Result<void> ReplayTable::remove(const Ulid& id) {
  const std::string text = id.to_text();
  remove_.bind(1, text);
  return database_->run(remove_);
}

Result<void> ReplayTable::load(const std::function<void(StoredReplay&&)>& visit) {
  auto rows = database_->prepare("SELECT " + std::string{columns} + " FROM replay ORDER BY number");
  if (!rows) return rows.error();
  while (true) {
    const Statement::Step step = rows->step();
    if (step == Statement::Step::failed) return database_->fail(*rows);
    if (step == Statement::Step::done) return {};
    StoredReplay replay;
    if (!read_replay(*rows, replay)) {
      return database_->fail(Errc::corrupt, Side::disk, "a replay contains an invalid value");
    }
    visit(std::move(replay));
  }
}

}  // namespace ringpost::control
