#include "control/store/set_aside_table.h"

#include <utility>

namespace ringpost::control {
namespace {

constexpr const char* columns =
    "uid, organization, id, source, type, accepted_at, set_aside_at, status, reason, again";
constexpr const char* chosen = " WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR source = ?2)";

std::optional<SetAsideEvent> read_event(const Statement& row) {
  const auto uid = Ulid::parse(row.text(0));
  if (!uid) return std::nullopt;
  return SetAsideEvent{.uid = *uid,
                       .organization = std::string{row.text(1)},
                       .id = std::string{row.text(2)},
                       .source = std::string{row.text(3)},
                       .type = std::string{row.text(4)},
                       .accepted_at = from_unix_ns(row.integer(5)),
                       .set_aside_at = from_unix_ns(row.integer(6)),
                       .status = static_cast<uint16_t>(row.integer(7)),
                       .reason = std::string{row.text(8)},
                       .again = row.integer(9) != 0};
}

}  // namespace

Result<void> SetAsideTable::prepare(Database& database) {
  database_ = &database;
  const std::string all = columns;
  const std::pair<Statement*, std::string> statements[] = {
      {&insert_, "INSERT OR REPLACE INTO forward_aside (" + all +
                     ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"},
      {&prune_,
       "DELETE FROM forward_aside WHERE number <= (SELECT number FROM forward_aside"
       " ORDER BY number DESC LIMIT 1 OFFSET ?1)"},
      {&list_, "SELECT " + all +
                   " FROM forward_aside WHERE ?1 IS NULL OR number < (SELECT number FROM"
                   " forward_aside WHERE uid = ?1) ORDER BY number DESC LIMIT ?2"},
      {&mark_, std::string{"UPDATE forward_aside SET again = 1"} + chosen},
      {&marked_, "SELECT " + all + " FROM forward_aside WHERE again != 0 ORDER BY number LIMIT ?1"},
      {&contains_, "SELECT 1 FROM forward_aside WHERE uid = ?1"},
      {&remove_, std::string{"DELETE FROM forward_aside"} + chosen},
      {&remove_one_, "DELETE FROM forward_aside WHERE uid = ?1"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = database.prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  return {};
}

Result<void> SetAsideTable::insert(const SetAsideEvent& event) {
  const std::string uid = event.uid.to_text();
  insert_.bind(1, uid);
  insert_.bind(2, event.organization);
  insert_.bind(3, event.id);
  insert_.bind(4, event.source);
  insert_.bind(5, event.type);
  insert_.bind(6, to_unix_ns(event.accepted_at));
  insert_.bind(7, to_unix_ns(event.set_aside_at));
  insert_.bind(8, int64_t{event.status});
  insert_.bind(9, event.reason);
  insert_.bind(10, int64_t{event.again});
  if (auto inserted = database_->run(insert_); !inserted) return inserted;
  prune_.bind(1, entries_max);
  return database_->run(prune_);
}

Result<std::vector<SetAsideEvent>> SetAsideTable::list(const std::optional<Ulid>& before,
                                                       uint32_t limit) {
  const std::string uid = before ? before->to_text() : std::string{};
  if (before) list_.bind(1, uid);
  list_.bind(2, int64_t{limit});
  return read(list_);
}

Result<std::vector<SetAsideEvent>> SetAsideTable::marked(uint32_t limit) {
  marked_.bind(1, int64_t{limit});
  return read(marked_);
}

Result<std::vector<SetAsideEvent>> SetAsideTable::read(Statement& statement) {
  std::vector<SetAsideEvent> events;
  std::optional<Error> failure;
  while (!failure) {
    const Statement::Step step = statement.step();
    if (step == Statement::Step::done) break;
    if (step == Statement::Step::failed) {
      failure = database_->fail(statement);
      continue;
    }
    auto event = read_event(statement);
    if (event) {
      events.push_back(std::move(*event));
    } else {
      failure = database_->fail(Errc::corrupt, Side::disk,
                                "an event that was set aside contains an invalid value");
    }
  }
  statement.reset();
  if (failure) return *failure;
  return events;
}

Result<uint64_t> SetAsideTable::change(Statement& statement, const SetAsideChoice& choice) {
  if (choice.id) statement.bind(1, *choice.id);
  if (choice.source) statement.bind(2, *choice.source);
  if (auto changed = database_->run(statement); !changed) return changed.error();
  return static_cast<uint64_t>(database_->changed_rows());
}

Result<uint64_t> SetAsideTable::mark(const SetAsideChoice& choice) {
  return change(mark_, choice);
}

Result<uint64_t> SetAsideTable::remove(const SetAsideChoice& choice) {
  return change(remove_, choice);
}

Result<void> SetAsideTable::remove(const Ulid& uid) {
  const std::string text = uid.to_text();
  remove_one_.bind(1, text);
  return database_->run(remove_one_);
}

Result<bool> SetAsideTable::contains(const Ulid& uid) {
  const std::string text = uid.to_text();
  contains_.bind(1, text);
  const Statement::Step step = contains_.step();
  std::optional<Error> failure;
  if (step == Statement::Step::failed) failure = database_->fail(contains_);
  contains_.reset();
  if (failure) return *failure;
  return step == Statement::Step::row;
}

Result<uint64_t> SetAsideTable::marked_count() {
  const auto count =
      database_->query_integer("SELECT count(*) FROM forward_aside WHERE again != 0");
  if (!count) return count.error();
  return static_cast<uint64_t>(*count);
}

Result<uint64_t> SetAsideTable::count() {
  const auto count = database_->query_integer("SELECT count(*) FROM forward_aside");
  if (!count) return count.error();
  return static_cast<uint64_t>(*count);
}

}  // namespace ringpost::control
