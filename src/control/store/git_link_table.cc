#include "control/store/git_link_table.h"

#include "base/assert.h"
#include "control/store/rows.h"

#include <array>
#include <utility>

namespace ringpost::control {
namespace {

constexpr const char* link_columns =
    "number, id, url, token, hook, secret_pending, registered_at, result, failed, result_at,"
    " log_number, log_read_at";
constexpr const char* gap_columns =
    "source, delivery, number, event, at, status, state, asks, asked_at, found_at, detail";

constexpr std::array<std::string_view, 1> sealed_columns{"token"};

constexpr GapState all_states[] = {GapState::open, GapState::asked, GapState::filled,
                                   GapState::given_up, GapState::too_old};

std::optional<GapState> parse_state(std::string_view text) {
  for (const GapState state : all_states) {
    if (name(state) == text) return state;
  }
  return std::nullopt;
}

void bind_time(Statement& statement, int parameter, WallTime time) {
  statement.bind(parameter, to_unix_ns(time));
}

/// @returns whether it is whole.
bool read_link(const Statement& row, const Sealer& sealer, GitLink& link) {
  const auto id = Ulid::parse(row.text(1));
  const auto token = sealer.open(git_link_place("token", row.text(1)), row.blob(3));
  if (!id || !token) return false;
  link = {.source = static_cast<uint32_t>(row.integer(0)),
          .source_id = *id,
          .url = std::string{row.text(2)},
          .token = *token,
          .hook = std::string{row.text(4)},
          .secret_pending = row.integer(5) != 0,
          .registered_at = from_unix_ns(row.integer(6)),
          .result = std::string{row.text(7)},
          .failed = row.integer(8) != 0,
          .result_at = from_unix_ns(row.integer(9)),
          .log_number = std::string{row.text(10)},
          .log_read_at = from_unix_ns(row.integer(11))};
  return true;
}

/// @returns whether it is whole.
bool read_gap(const Statement& row, GitGap& gap) {
  const auto state = parse_state(row.text(6));
  if (!state) return false;
  gap = {.source = static_cast<uint32_t>(row.integer(0)),
         .delivery = std::string{row.text(1)},
         .number = std::string{row.text(2)},
         .event = std::string{row.text(3)},
         .at = from_unix_ns(row.integer(4)),
         .status = static_cast<uint16_t>(row.integer(5)),
         .state = *state,
         .asks = static_cast<uint32_t>(row.integer(7)),
         .asked_at = from_unix_ns(row.integer(8)),
         .found_at = from_unix_ns(row.integer(9)),
         .detail = std::string{row.text(10)}};
  return true;
}

}  // namespace

std::string_view name(GapState state) {
  switch (state) {
    case GapState::open: return "open";
    case GapState::asked: return "asked";
    case GapState::filled: return "filled";
    case GapState::given_up: return "given_up";
    case GapState::too_old: return "too_old";
  }
  RINGPOST_UNREACHABLE();
}

std::span<const std::string_view> sealed_git_link_columns() {
  return sealed_columns;
}

Result<void> GitLinkTable::prepare(Database& database, const Sealer& sealer) {
  database_ = &database;
  sealer_ = &sealer;
  const std::pair<Statement*, std::string> all[] = {
      {&put_, "INSERT OR REPLACE INTO git_link (" + std::string{link_columns} +
                  ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"},
      {&remove_, "DELETE FROM git_link WHERE number = ?1"},
      {&put_gap_, "INSERT OR REPLACE INTO git_gap (" + std::string{gap_columns} +
                      ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"},
      {&remove_gap_, "DELETE FROM git_gap WHERE source = ?1 AND delivery = ?2"},
      {&remove_gaps_, "DELETE FROM git_gap WHERE source = ?1"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = database.prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  return {};
}

Result<void> GitLinkTable::put(const GitLink& link) {
  const std::string id = link.source_id.to_text();
  const std::string token = sealer_->seal(git_link_place("token", id), link.token);
  put_.bind(1, int64_t{link.source});
  put_.bind(2, id);
  put_.bind(3, link.url);
  put_.bind(4, as_bytes(token));
  put_.bind(5, link.hook);
  put_.bind(6, int64_t{link.secret_pending});
  bind_time(put_, 7, link.registered_at);
  put_.bind(8, link.result);
  put_.bind(9, int64_t{link.failed});
  bind_time(put_, 10, link.result_at);
  put_.bind(11, link.log_number);
  bind_time(put_, 12, link.log_read_at);
  return database_->run(put_);
}

Result<void> GitLinkTable::remove(uint32_t source) {
  remove_gaps_.bind(1, int64_t{source});
  if (auto removed = database_->run(remove_gaps_); !removed) return removed;
  remove_.bind(1, int64_t{source});
  return database_->run(remove_);
}

Result<void> GitLinkTable::put_gap(const GitGap& gap) {
  put_gap_.bind(1, int64_t{gap.source});
  put_gap_.bind(2, gap.delivery);
  put_gap_.bind(3, gap.number);
  put_gap_.bind(4, gap.event);
  bind_time(put_gap_, 5, gap.at);
  put_gap_.bind(6, int64_t{gap.status});
  put_gap_.bind(7, name(gap.state));
  put_gap_.bind(8, int64_t{gap.asks});
  bind_time(put_gap_, 9, gap.asked_at);
  bind_time(put_gap_, 10, gap.found_at);
  put_gap_.bind(11, gap.detail);
  return database_->run(put_gap_);
}

Result<void> GitLinkTable::remove_gap(uint32_t source, std::string_view delivery) {
  remove_gap_.bind(1, int64_t{source});
  remove_gap_.bind(2, delivery);
  return database_->run(remove_gap_);
}

Result<void> GitLinkTable::load(const std::function<void(GitLink&&)>& visit) {
  auto rows =
      database_->prepare("SELECT " + std::string{link_columns} + " FROM git_link ORDER BY number");
  if (!rows) return rows.error();
  while (true) {
    const Statement::Step step = rows->step();
    if (step == Statement::Step::failed) return database_->fail(*rows);
    if (step == Statement::Step::done) return {};
    GitLink link;
    if (!read_link(*rows, *sealer_, link)) {
      return database_->fail(Errc::corrupt, Side::disk,
                             "the repository of a git source contains an invalid value");
    }
    visit(std::move(link));
  }
}

Result<void> GitLinkTable::load_gaps(const std::function<void(GitGap&&)>& visit) {
  auto rows = database_->prepare("SELECT " + std::string{gap_columns} +
                                 " FROM git_gap ORDER BY source, found_at, rowid");
  if (!rows) return rows.error();
  while (true) {
    const Statement::Step step = rows->step();
    if (step == Statement::Step::failed) return database_->fail(*rows);
    if (step == Statement::Step::done) return {};
    GitGap gap;
    if (!read_gap(*rows, gap)) {
      return database_->fail(Errc::corrupt, Side::disk,
                             "a gap of a git source contains an invalid value");
    }
    visit(std::move(gap));
  }
}

}  // namespace ringpost::control
