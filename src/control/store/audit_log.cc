#include "control/store/audit_log.h"

#include "control/store/rows.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace ringpost::control {
namespace {

constexpr const char* columns =
    "id, at, organization, token, token_name, token_organization, operation, object, members,"
    " peer, status";

/// Reads a row of `SELECT <columns>`. @returns whether it is whole.
bool read_entry(const Statement& row, AuditEntry& entry) {
  const auto id = Ulid::parse(row.text(0));
  const auto token = Ulid::parse(row.text(3));
  if (!id || !token || !read_texts(row.text(8), entry.members)) return false;
  entry.id = *id;
  entry.at = from_unix_ns(row.integer(1));
  entry.organization = row.text(2);
  entry.token = *token;
  entry.token_name = row.text(4);
  entry.token_organization = row.text(5);
  entry.operation = row.text(6);
  entry.object = row.text(7);
  entry.peer = row.text(9);
  entry.status = static_cast<uint16_t>(row.integer(10));
  return true;
}

}  // namespace

Result<void> AuditLog::prepare(Database& database) {
  database_ = &database;
  const std::pair<Statement*, std::string> all[] = {
      {&insert_, "INSERT INTO audit (" + std::string{columns} +
                     ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"},
      {&place_, "SELECT at, number FROM audit WHERE id = ?1 AND organization = ?2"},
      {&list_, "SELECT " + std::string{columns} +
                   " FROM audit WHERE organization = ?1 AND at >= ?2 AND at < ?3"
                   " AND (at, number) < (?4, ?5) ORDER BY at DESC, number DESC LIMIT ?6"},
      {&prune_old_,
       "DELETE FROM audit WHERE number IN (SELECT number FROM"
       " (SELECT number, at FROM audit ORDER BY number LIMIT ?1) WHERE at < ?2)"},
      {&count_, "SELECT count(*) FROM audit"},
      {&prune_many_,
       "DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE organization ="
       " (SELECT organization FROM audit GROUP BY organization ORDER BY count(*) DESC LIMIT 1)"
       " ORDER BY at, number LIMIT ?1)"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = database.prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  return {};
}

Result<void> AuditLog::insert(const AuditEntry& entry) {
  const std::string id = entry.id.to_text();
  const std::string token = entry.token.to_text();
  const std::string members = texts_to_json(entry.members);
  insert_.bind(1, id);
  insert_.bind(2, to_unix_ns(entry.at));
  insert_.bind(3, entry.organization);
  insert_.bind(4, token);
  insert_.bind(5, entry.token_name);
  insert_.bind(6, entry.token_organization);
  insert_.bind(7, entry.operation);
  insert_.bind(8, entry.object);
  insert_.bind(9, members);
  insert_.bind(10, entry.peer);
  insert_.bind(11, int64_t{entry.status});
  return database_->run(insert_);
}

/// Where the list goes on: behind `before`, or at its beginning.
Result<std::optional<AuditLog::Place>> AuditLog::place_of(const AuditQuery& query) {
  constexpr int64_t top = std::numeric_limits<int64_t>::max();
  if (!query.before) return std::optional{Place{top, top}};
  const std::string id = query.before->to_text();
  place_.bind(1, id);
  place_.bind(2, query.organization);
  Result<std::optional<Place>> result{std::optional<Place>{}};
  switch (place_.step()) {
    case Statement::Step::failed: result = database_->fail(place_); break;
    case Statement::Step::row:
      result = std::optional{Place{place_.integer(0), place_.integer(1)}};
      break;
    case Statement::Step::done: break;
  }
  place_.reset();
  return result;
}

Result<std::vector<AuditEntry>> AuditLog::list(const AuditQuery& query) {
  const auto place = place_of(query);
  if (!place) return place.error();
  std::vector<AuditEntry> entries;
  if (!*place) return entries;
  constexpr auto low = std::numeric_limits<int64_t>::min();
  constexpr auto high = std::numeric_limits<int64_t>::max();
  list_.bind(1, query.organization);
  list_.bind(2, query.since ? to_unix_ns(*query.since) : low);
  list_.bind(3, query.until ? to_unix_ns(*query.until) : high);
  list_.bind(4, (*place)->at);
  list_.bind(5, (*place)->number);
  list_.bind(6, int64_t{query.limit});
  Result<std::vector<AuditEntry>> result{std::move(entries)};
  while (result) {
    const Statement::Step step = list_.step();
    if (step == Statement::Step::done) break;
    if (step == Statement::Step::failed) {
      result = database_->fail(list_);
    } else if (!read_entry(list_, result.value().emplace_back())) {
      result = database_->fail(Errc::corrupt, Side::disk,
                               "an entry of the audit log contains an invalid value");
    }
  }
  list_.reset();
  return result;
}

Result<int64_t> AuditLog::count() {
  Result<int64_t> result = count_.step() == Statement::Step::row
                               ? Result<int64_t>{count_.integer(0)}
                               : Result<int64_t>{database_->fail(count_)};
  count_.reset();
  return result;
}

Result<AuditLog::Pruned> AuditLog::prune(std::optional<WallTime> oldest) {
  prune_old_.bind(1, prune_step);
  prune_old_.bind(2, oldest ? to_unix_ns(*oldest) : std::numeric_limits<int64_t>::min());
  if (auto done = database_->run(prune_old_); !done) return done.error();
  Pruned pruned{.removed = database_->changed_rows()};
  const auto left = count();
  if (!left) return left.error();
  pruned.any_left = *left > 0;
  if (*left <= entries_max) return pruned;
  prune_many_.bind(1, std::min(prune_step, *left - entries_max));
  if (auto done = database_->run(prune_many_); !done) return done.error();
  pruned.removed += database_->changed_rows();
  return pruned;
}

}  // namespace ringpost::control
