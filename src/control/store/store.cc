#include "control/store/store.h"

#include "base/assert.h"
#include "control/store/file.h"
#include "control/store/rows.h"
#include "control/store/schema.h"
#include "control/store/sealing.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace ringpost::control {
namespace {

constexpr std::string_view memory_path = ":memory:";
constexpr mode_t file_mode = 0600;  // Secrets are in it.

/// Makes the file if there is none, and takes it away from other users if they could read it:
/// SQLite would make it with the process's umask, and gives its other files the mode of this one.
///
/// Must come before SQLite opens the file: closing a descriptor drops the process's locks on it.
bool prepare_file(const std::string& path) {
  const bool is_new = ::access(path.c_str(), F_OK) != 0;
  const File file{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, file_mode)};
  if (!file.is_open()) return false;
  struct stat status {};
  if (::fstat(file.descriptor(), &status) != 0) return false;
  if (!S_ISREG(status.st_mode)) {
    errno = EINVAL;
    return false;
  }
  if ((status.st_mode & 0777) != file_mode && ::fchmod(file.descriptor(), file_mode) != 0) {
    return false;
  }
  for (const char* suffix : {"-wal", "-shm"}) {
    if (::chmod((path + suffix).c_str(), file_mode) != 0 && errno != ENOENT) return false;
  }
  return !is_new || sync_directory_of(path);
}

constexpr const char* get_meta_sql = "SELECT value FROM meta WHERE name = ?1";

Result<std::optional<std::string>> query_meta(Database& database, Statement& get_meta,
                                              std::string_view name) {
  get_meta.bind(1, name);
  const Statement::Step step = get_meta.step();
  Result<std::optional<std::string>> result{std::optional<std::string>{}};
  if (step == Statement::Step::failed) result = database.fail(get_meta);
  if (step == Statement::Step::row) result = std::optional{std::string{get_meta.text(0)}};
  get_meta.reset();
  return result;
}

}  // namespace

// open ─> prepare_file ─> check_schema, check_key (nothing changed so far) ─> pragmas ─> migrate
//      ─> scrub ─> statements

StoreOpenResult Store::open(const std::string& path, const StoreOptions& options) {
  if (options.keyring.keys().empty()) {
    return {.error = {Errc::malformed, Side::operator_}, .problem = path + ": there is no key"};
  }
  if (path != memory_path && !prepare_file(path)) {
    const Error error = error_from_errno(errno, Side::disk);
    return {.error = error, .problem = path + ": " + describe(error)};
  }
  std::unique_ptr<Store> store{new Store(options.keyring, path)};
  if (const Result<void> opened = store->open_database(path, options); !opened) {
    return {.error = opened.error(), .problem = path + ": " + std::string{store->last_problem()}};
  }
  return {.store = std::move(store), .error = {}, .problem = {}};
}

Result<void> Store::open_database(const std::string& path, const StoreOptions& options) {
  if (auto opened = database_.open(path, options.busy_timeout_ms); !opened) return opened;
  const auto version = check_schema(database_);
  if (!version) return version.error();
  if (*version >= schema_version_sealed) {
    if (auto checked = check_key(database_, sealer_); !checked) return checked;
  }
  if (auto set = set_pragmas(path == memory_path); !set) return set;
  if (options.quick_check) {
    if (auto checked = check_file(); !checked) return checked;
  }
  if (auto migrated = migrate_schema(database_, *version, sealer_); !migrated) {
    return migrated;
  }
  if (auto allowed = database_.allow_checkpoints(); !allowed) return allowed;
  if (auto scrubbed = scrub_if_due(database_); !scrubbed) return scrubbed;
  return prepare_statements();
}

std::unique_ptr<LogSync> Store::take_log(std::string& problem) {
  auto log = WriteAheadLog::open(path_, problem);
  if (log == nullptr) return nullptr;
  // NORMAL: what the order of writes needs is still synced, which is nothing as long as the log
  // does not begin anew; that, too, is left to the one who has the log.
  const auto set = database_.execute("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0");
  if (set) return log;
  problem = path_ + ": " + database_.last_problem();
  return nullptr;
}

void Store::refuse_changes(const Error& because) {
  database_.refuse_changes(because);
}

Result<bool> Store::is_sealed(const std::string& path, std::string& problem) {
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) return false;
  Database database;
  Result<int64_t> version = 0;
  if (const auto opened = database.open(path, StoreOptions{}.busy_timeout_ms); !opened) {
    version = opened.error();
  } else {
    version = check_schema(database);
  }
  if (version) return *version >= schema_version_sealed;
  problem = path + ": " + database.last_problem();
  return version.error();
}

Result<void> Store::set_pragmas(bool in_memory) {
  const auto mode = database_.query_text("PRAGMA journal_mode = WAL");
  if (!mode) return mode.error();
  if (*mode != (in_memory ? "memory" : "wal")) {
    return database_.fail(Errc::unsupported, Side::operator_,
                          "this file system cannot hold a write-ahead log (SQLite journal mode '" +
                              *mode + "'); put the data directory on a local one");
  }
  // FULL: each commit is synced, so that what the API answered survives power loss.
  // secure_delete: what is deleted or replaced is overwritten, so that no free page keeps it.
  // temp_store: nor does a temporary file, in which SQLite would note what a migration changes.
  return database_.execute(
      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
      "PRAGMA temp_store = MEMORY");
}

Result<void> Store::check_file() {
  const auto verdict = database_.query_text("PRAGMA quick_check(1)");
  if (!verdict) return verdict.error();
  if (*verdict == "ok") return {};
  return database_.fail(Errc::corrupt, Side::disk, "the file is damaged: " + *verdict);
}

Result<void> Store::prepare_statements() {
  const std::string number = "?" + std::to_string(webhook_number_index());
  const std::pair<Statement*, std::string> all[] = {
      {&insert_webhook_,
       "INSERT INTO webhook (" + webhook_columns() + ") VALUES (" + webhook_parameters() + ")"},
      {&update_webhook_, "UPDATE webhook SET (" + webhook_columns() + ") = (" +
                             webhook_parameters() + ") WHERE number = " + number},
      {&delete_webhook_, "DELETE FROM webhook WHERE number = ?1"},
      {&set_failing_, "UPDATE webhook SET failing_ns = ?1 WHERE number = ?2"},
      {&insert_token_, "INSERT INTO token (" + std::string{token_columns} + ") VALUES (" +
                           std::string{token_parameters} + ")"},
      {&delete_token_, "DELETE FROM token WHERE number = ?1"},
      {&insert_git_source_, "INSERT INTO git_source (" + std::string{git_source_columns} +
                                ") VALUES (" + std::string{git_source_parameters} + ")"},
      {&update_git_source_, "UPDATE git_source SET (" + std::string{git_source_columns} + ") = (" +
                                std::string{git_source_parameters} + ") WHERE number = ?" +
                                std::to_string(git_source_number_index)},
      {&delete_git_source_, "DELETE FROM git_source WHERE number = ?1"},
      {&get_meta_, get_meta_sql},
      {&set_meta_,
       "INSERT INTO meta (name, value) VALUES (?1, ?2)"
       " ON CONFLICT (name) DO UPDATE SET value = excluded.value"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = database_.prepare(sql);
    if (!prepared) return prepared.error();
    *statement = std::move(*prepared);
  }
  if (auto prepared = audit_.prepare(database_); !prepared) return prepared;
  if (auto prepared = replays_.prepare(database_); !prepared) return prepared;
  if (auto prepared = git_links_.prepare(database_, sealer_); !prepared) return prepared;
  if (auto prepared = users_.prepare(database_, sealer_); !prepared) return prepared;
  return set_aside_.prepare(database_);
}

Result<void> Store::load(const WebhookVisitor& on_webhook, const TokenVisitor& on_token) {
  if (auto loaded = load_webhooks(on_webhook); !loaded) return loaded;
  return load_tokens(on_token);
}

Result<void> Store::load_webhooks(const WebhookVisitor& on_webhook) {
  auto rows =
      database_.prepare("SELECT " + webhook_columns() + ", number FROM webhook ORDER BY number");
  if (!rows) return rows.error();
  WebhookReader reader(sealer_);
  while (true) {
    const Statement::Step step = rows->step();
    if (step == Statement::Step::failed) return database_.fail(*rows);
    if (step == Statement::Step::done) return {};
    subscription::Webhook webhook;
    if (std::string problem = reader.read(*rows, webhook); !problem.empty()) {
      return database_.fail(Errc::corrupt, Side::disk, std::move(problem));
    }
    on_webhook(std::move(webhook));
  }
}

Result<void> Store::load_tokens(const TokenVisitor& on_token) {
  auto rows = database_.prepare("SELECT " + std::string{token_columns} +
                                ", number FROM token ORDER BY number");
  if (!rows) return rows.error();
  while (true) {
    const Statement::Step step = rows->step();
    if (step == Statement::Step::failed) return database_.fail(*rows);
    if (step == Statement::Step::done) return {};
    subscription::Token token;
    if (std::string problem = read_token(*rows, token); !problem.empty()) {
      return database_.fail(Errc::corrupt, Side::disk, std::move(problem));
    }
    on_token(std::move(token));
  }
}

Result<uint32_t> Store::insert(Statement& statement) {
  if (auto done = database_.run(statement); !done) return done.error();
  return static_cast<uint32_t>(database_.last_insert_number());  // The schema checks its range.
}

Result<void> Store::change_one(Statement& statement, std::string_view what, uint32_t number) {
  if (auto done = database_.run(statement); !done) return done;
  if (database_.changed_rows() == 1) return {};
  return database_.fail(Errc::not_found, Side::self,
                        "there is no " + std::string{what} + " " + std::to_string(number));
}

Result<void> Store::insert_webhook(subscription::Webhook& webhook) {
  if (std::string objection = object_to_webhook(webhook); !objection.empty()) {
    return database_.fail(Errc::malformed, Side::operator_, std::move(objection));
  }
  const WebhookTexts texts(webhook, sealer_);
  bind_webhook(insert_webhook_, webhook, texts);
  const auto number = insert(insert_webhook_);
  if (!number) return number.error();
  webhook.number = *number;
  return {};
}

Result<void> Store::update_webhook(const subscription::Webhook& webhook) {
  if (std::string objection = object_to_webhook(webhook); !objection.empty()) {
    return database_.fail(Errc::malformed, Side::operator_, std::move(objection));
  }
  const WebhookTexts texts(webhook, sealer_);
  bind_webhook(update_webhook_, webhook, texts);
  update_webhook_.bind(webhook_number_index(), int64_t{webhook.number});
  return change_one(update_webhook_, "webhook", webhook.number);
}

Result<void> Store::delete_webhook(uint32_t number) {
  delete_webhook_.bind(1, int64_t{number});
  return change_one(delete_webhook_, "webhook", number);
}

Result<void> Store::set_failing(uint32_t number, Duration time) {
  set_failing_.bind(1, int64_t{time.count()});
  set_failing_.bind(2, int64_t{number});
  return change_one(set_failing_, "webhook", number);
}

Result<void> Store::load_failing(const std::function<void(uint32_t, Duration)>& visit) {
  auto rows = database_.prepare(
      "SELECT number, failing_ns FROM webhook WHERE failing_ns > 0 ORDER BY number");
  if (!rows) return rows.error();
  while (true) {
    const Statement::Step step = rows->step();
    if (step == Statement::Step::failed) return database_.fail(*rows);
    if (step == Statement::Step::done) return {};
    visit(static_cast<uint32_t>(rows->integer(0)), Duration{rows->integer(1)});
  }
}

Result<void> Store::insert_token(subscription::Token& token) {
  if (std::string objection = object_to_token(token); !objection.empty()) {
    return database_.fail(Errc::malformed, Side::operator_, std::move(objection));
  }
  const TokenTexts texts(token);
  bind_token(insert_token_, token, texts);
  const auto number = insert(insert_token_);
  if (!number) return number.error();
  token.number = *number;
  return {};
}

Result<void> Store::delete_token(uint32_t number) {
  delete_token_.bind(1, int64_t{number});
  return change_one(delete_token_, "token", number);
}

Result<void> Store::load_git_sources(const GitSourceVisitor& on_source) {
  auto rows = database_.prepare("SELECT " + std::string{git_source_columns} +
                                ", number FROM git_source ORDER BY number");
  if (!rows) return rows.error();
  while (true) {
    const Statement::Step step = rows->step();
    if (step == Statement::Step::failed) return database_.fail(*rows);
    if (step == Statement::Step::done) return {};
    subscription::GitSource source;
    if (std::string problem = read_git_source(*rows, sealer_, source); !problem.empty()) {
      return database_.fail(Errc::corrupt, Side::disk, std::move(problem));
    }
    on_source(std::move(source));
  }
}

Result<void> Store::insert_git_source(subscription::GitSource& source) {
  if (std::string objection = object_to_git_source(source); !objection.empty()) {
    return database_.fail(Errc::malformed, Side::operator_, std::move(objection));
  }
  const GitSourceTexts texts(source, sealer_);
  bind_git_source(insert_git_source_, source, texts);
  const auto number = insert(insert_git_source_);
  if (!number) return number.error();
  source.number = *number;
  return {};
}

Result<void> Store::update_git_source(const subscription::GitSource& source) {
  if (std::string objection = object_to_git_source(source); !objection.empty()) {
    return database_.fail(Errc::malformed, Side::operator_, std::move(objection));
  }
  const GitSourceTexts texts(source, sealer_);
  bind_git_source(update_git_source_, source, texts);
  update_git_source_.bind(git_source_number_index, int64_t{source.number});
  return change_one(update_git_source_, "git source", source.number);
}

Result<void> Store::delete_git_source(uint32_t number) {
  delete_git_source_.bind(1, int64_t{number});
  return change_one(delete_git_source_, "git source", number);
}

Result<std::optional<std::string>> Store::meta(std::string_view name) {
  return query_meta(database_, get_meta_, name);
}

Result<void> StoreFacts::copy_to(const std::string& path, std::string& problem) {
  std::string quoted;
  for (const char byte : path) quoted.append(byte == '\'' ? 2 : 1, byte);
  auto copied = database_.execute("VACUUM INTO '" + quoted + "'");
  if (!copied) problem = path + ": " + database_.last_problem();
  return copied;
}

Result<std::unique_ptr<StoreFacts>> StoreFacts::open(const std::string& path,
                                                     std::string& problem) {
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
    return Error{Errc::not_found, Side::disk};
  }
  std::unique_ptr<StoreFacts> facts{new StoreFacts};
  if (const auto opened = facts->open_database(path); !opened) {
    problem = path + ": " + facts->database_.last_problem();
    return opened.error();
  }
  return facts;
}

Result<void> StoreFacts::open_database(const std::string& path) {
  if (auto opened = database_.open(path, StoreOptions{}.busy_timeout_ms); !opened) return opened;
  const auto version = check_schema(database_);
  if (!version) return version.error();
  empty_ = *version == 0;
  if (empty_) return {};
  auto prepared = database_.prepare(get_meta_sql);
  if (!prepared) return prepared.error();
  get_meta_ = std::move(*prepared);
  return {};
}

Result<std::optional<std::string>> StoreFacts::meta(std::string_view name) {
  if (empty_) return std::optional<std::string>{};
  return query_meta(database_, get_meta_, name);
}

Result<std::map<uint32_t, std::string>> StoreFacts::webhook_ids() {
  std::map<uint32_t, std::string> ids;
  if (empty_) return ids;
  auto listing = database_.prepare("SELECT number, id FROM webhook");
  if (!listing) return listing.error();
  Statement::Step step = listing->step();
  for (; step == Statement::Step::row; step = listing->step()) {
    ids.emplace(static_cast<uint32_t>(listing->integer(0)), listing->text(1));
  }
  if (step == Statement::Step::failed) return database_.fail(*listing);
  return ids;
}

Result<void> Store::set_meta(std::string_view name, std::string_view value) {
  set_meta_.bind(1, name);
  set_meta_.bind(2, value);
  return database_.run(set_meta_);
}

Result<void> Store::reseal(const Keyring& keyring) {
  Sealer next(keyring);
  const auto resealed = transaction([&]() -> Result<void> {
    if (auto done = reseal_all(database_, next); !done) return done;
    if (auto written = write_key_check(database_, next); !written) return written;
    return demand_scrub(database_);
  });
  if (!resealed) return resealed;
  sealer_ = std::move(next);
  return scrub_if_due(database_);
}

Result<void> Store::transaction(const std::function<Result<void>()>& work) {
  RINGPOST_ASSERT(!database_.in_transaction());
  if (auto begun = database_.execute("BEGIN IMMEDIATE"); !begun) return begun;
  Result<void> result = work();
  if (result) result = database_.execute("COMMIT");
  if (result || !database_.in_transaction()) return result;
  // The first error is the one to tell; SQLite itself may have rolled back already.
  const std::string problem{last_problem()};
  const Error error = result.error();
  if (const auto rolled_back = database_.execute("ROLLBACK"); !rolled_back) {
    return database_.fail(
        error.code, error.side,
        problem + "; and the change could not be undone: " + std::string{last_problem()});
  }
  static_cast<void>(database_.fail(error.code, error.side, problem));
  return error;
}

}  // namespace ringpost::control
