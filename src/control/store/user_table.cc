#include "control/store/user_table.h"

#include "control/store/rows.h"

#include <array>
#include <string>
#include <utility>

namespace ringpost::control {
namespace {

constexpr const char* columns =
    "id, organization, name, scopes, sources, password, enabled, created_at, updated_at";
constexpr int number_index = 10;  // The parameter after those; from 1.

constexpr std::array<std::string_view, 1> sealed_columns{"password"};

/// @returns whether it is whole.
bool read_user(const Statement& row, const Sealer& sealer, User& user) {
  const auto id = Ulid::parse(row.text(0));
  const auto password = sealer.open(user_place("password", row.text(0)), row.blob(5));
  if (!id || !password || !read_texts(row.text(4), user.sources)) return false;
  user.id = *id;
  user.organization = row.text(1);
  user.name = row.text(2);
  user.scopes = static_cast<uint8_t>(row.integer(3));
  user.password = *password;
  user.enabled = row.integer(6) != 0;
  user.created_at = from_unix_ns(row.integer(7));
  user.updated_at = from_unix_ns(row.integer(8));
  user.number = static_cast<uint32_t>(row.integer(9));
  return true;
}

}  // namespace

std::span<const std::string_view> sealed_user_columns() {
  return sealed_columns;
}

Result<void> UserTable::prepare(Database& database, const Sealer& sealer) {
  database_ = &database;
  sealer_ = &sealer;
  const std::string list{columns};
  const std::pair<Statement*, std::string> all[] = {
      {&insert_, "INSERT INTO user (" + list + ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"},
      {&update_,
       "UPDATE user SET (" + list + ") = (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) WHERE number = ?10"},
      {&remove_, "DELETE FROM user WHERE number = ?1"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = database.prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  return {};
}

Result<void> UserTable::run(Statement& statement, const User& user) {
  const std::string id = user.id.to_text();
  const std::string sources = texts_to_json(user.sources);
  const std::string password = sealer_->seal(user_place("password", id), user.password);
  statement.bind(1, id);
  statement.bind(2, user.organization);
  statement.bind(3, user.name);
  statement.bind(4, int64_t{user.scopes});
  statement.bind(5, sources);
  statement.bind(6, as_bytes(password));
  statement.bind(7, int64_t{user.enabled});
  statement.bind(8, to_unix_ns(user.created_at));
  statement.bind(9, to_unix_ns(user.updated_at));
  return database_->run(statement);
}

Result<void> UserTable::insert(User& user) {
  if (auto inserted = run(insert_, user); !inserted) return inserted;
  user.number = static_cast<uint32_t>(database_->last_insert_number());  // The schema checks it.
  return {};
}

Result<void> UserTable::update(const User& user) {
  update_.bind(number_index, int64_t{user.number});
  return run(update_, user);
}

Result<void> UserTable::remove(uint32_t number) {
  remove_.bind(1, int64_t{number});
  return database_->run(remove_);
}

Result<void> UserTable::load(const std::function<void(User&&)>& visit) {
  auto rows =
      database_->prepare("SELECT " + std::string{columns} + ", number FROM user ORDER BY number");
  if (!rows) return rows.error();
  while (true) {
    const Statement::Step step = rows->step();
    if (step == Statement::Step::failed) return database_->fail(*rows);
    if (step == Statement::Step::done) return {};
    User user;
    if (!read_user(*rows, *sealer_, user)) {
      return database_->fail(
          Errc::corrupt, Side::disk,
          "user " + std::to_string(rows->integer(number_index - 1)) + " contains an invalid value");
    }
    visit(std::move(user));
  }
}

}  // namespace ringpost::control
