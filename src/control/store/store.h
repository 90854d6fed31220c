#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "control/store/audit_log.h"
#include "control/store/git_link_table.h"
#include "control/store/keyring.h"
#include "control/store/log_sync.h"
#include "control/store/replay_table.h"
#include "control/store/sealer.h"
#include "control/store/set_aside_table.h"
#include "control/store/sqlite.h"
#include "control/store/user_table.h"
#include "subscription/git_source.h"
#include "subscription/token.h"
#include "subscription/webhook.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ringpost::control {

struct StoreOptions {
  Keyring keyring;             ///< Seals and opens the secrets; never empty.
  int busy_timeout_ms = 5000;  ///< How long to wait for another process's lock (`sqlite3`, backup).
  bool quick_check = false;    ///< Check the whole file at open; a second or so per GiB.
};

struct StoreOpenResult;

/// What the operator set up and must survive: webhooks, tokens, users, git sources and a few facts
/// about the data directory, in one SQLite file (WAL, synchronous FULL). Secrets are sealed
/// (README.md).
///
/// A call that returned success is durable, also after power loss; from `take_log` on, only once
/// the log was synced after it. After an error it is not known whether the change is durable (an
/// error of the disk may come after its write): what `load` gives at the next start holds.
///
/// One thread at a time, the control thread after start; until `take_log` calls block on the disk.
class Store {
 public:
  /// @param path  the file, made with mode 0600 if there is none; `:memory:` for simulation.
  /// A file of a newer ringpost, one that is not ours, or one that was sealed with keys that
  /// `options.keyring` does not have (Errc::unauthenticated) is refused and left as it is.
  static StoreOpenResult open(const std::string& path, const StoreOptions& options);

  /// Whether there is a file at `path` that cannot be opened without the right keyring: then none
  /// may be made. Changes nothing. @returns an error, with `problem` as text, as `open`.
  static Result<bool> is_sealed(const std::string& path, std::string& problem);

  using WebhookVisitor = std::function<void(subscription::Webhook&&)>;
  using TokenVisitor = std::function<void(subscription::Token&&)>;

  /// Streams everything, by rising number.
  /// @returns Errc::corrupt at the first row that cannot be used, named in `last_problem`: a
  /// webhook
  ///          is never left out silently.
  Result<void> load(const WebhookVisitor& on_webhook, const TokenVisitor& on_token);

  /// Assigns `webhook.number`: never one that was used before. `id` is the caller's.
  /// @returns Errc::conflict if the id is taken; Errc::malformed if it breaks the rules of
  /// patterns.h
  ///          or holds bytes that are not UTF-8; else what the disk says.
  Result<void> insert_webhook(subscription::Webhook& webhook);
  /// By number. @returns Errc::not_found if there is none; else as insert_webhook.
  Result<void> update_webhook(const subscription::Webhook& webhook);
  /// @returns Errc::not_found if there is none.
  Result<void> delete_webhook(uint32_t number);

  /// How long every delivery to a webhook has failed; zero: it does not.
  /// @returns Errc::not_found if there is no such webhook.
  Result<void> set_failing(uint32_t number, Duration time);
  /// Those that are not zero, by rising number.
  Result<void> load_failing(const std::function<void(uint32_t number, Duration)>& visit);

  /// Assigns `token.number`. @returns Errc::conflict if the id or the hash is taken;
  /// Errc::malformed if organization or sources break the rules of patterns.h.
  Result<void> insert_token(subscription::Token& token);
  /// @returns Errc::not_found if there is none.
  Result<void> delete_token(uint32_t number);

  using GitSourceVisitor = std::function<void(subscription::GitSource&&)>;

  /// The git sources, as `load`.
  Result<void> load_git_sources(const GitSourceVisitor& on_source);
  /// These three as those of webhooks. @returns Errc::malformed also for a secret that
  /// object_to_git_secret objects to.
  Result<void> insert_git_source(subscription::GitSource& source);
  Result<void> update_git_source(const subscription::GitSource& source);
  Result<void> delete_git_source(uint32_t number);

  /// Who changed what: beside the changes, for those who made them to write.
  AuditLog& audit() { return audit_; }
  ReplayTable& replays() { return replays_; }
  GitLinkTable& git_links() { return git_links_; }
  UserTable& users() { return users_; }
  SetAsideTable& set_aside() { return set_aside_; }

  /// Facts about this data directory, by name.
  Result<std::optional<std::string>> meta(std::string_view name);
  Result<void> set_meta(std::string_view name, std::string_view value);

  /// Seals every secret anew with the first key of `keyring`, as one change, and leaves nothing of
  /// the old sealed values in the file. From then on `keyring` is the store's.
  /// @param keyring  has the keys of the store's present ring, too.
  /// @returns Errc::corrupt, with nothing changed, if a value cannot be opened. After an error of
  ///          the disk the store is sealed with either key.
  Result<void> reseal(const Keyring& keyring);

  /// Runs `work` as one change: all of it is durable on success, none of it if `work` or the commit
  /// fails. Not nested.
  Result<void> transaction(const std::function<Result<void>()>& work);

  /// From now on a commit does not wait for the disk: whoever has the log makes it durable. For a
  /// store in a file. The store outlives the log.
  /// @returns nothing, and `problem` as `open` has it, if the log cannot be opened.
  std::unique_ptr<LogSync> take_log(std::string& problem);
  /// Grows with every change; says nothing of how many there were.
  uint64_t change_count() const { return database_.changes(); }
  /// From now on nothing can be changed, and whoever tries gets `because`.
  void refuse_changes(const Error& because);

  /// What the last error was, as text. Holds no secrets.
  std::string_view last_problem() const { return database_.last_problem(); }

 private:
  Store(const Keyring& keyring, std::string path) : path_(std::move(path)), sealer_(keyring) {}

  Result<void> open_database(const std::string& path, const StoreOptions& options);
  Result<void> set_pragmas(bool in_memory);
  Result<void> check_file();
  Result<void> prepare_statements();
  Result<uint32_t> insert(Statement& statement);
  Result<void> change_one(Statement& statement, std::string_view what, uint32_t number);
  Result<void> load_webhooks(const WebhookVisitor& on_webhook);
  Result<void> load_tokens(const TokenVisitor& on_token);

  const std::string path_;
  Sealer sealer_;
  Database database_;  // Before the statements: they go first.
  Statement insert_webhook_;
  Statement update_webhook_;
  Statement delete_webhook_;
  Statement set_failing_;
  Statement insert_token_;
  Statement delete_token_;
  Statement insert_git_source_;
  Statement update_git_source_;
  Statement delete_git_source_;
  Statement get_meta_;
  Statement set_meta_;
  AuditLog audit_;
  ReplayTable replays_;
  GitLinkTable git_links_;
  UserTable users_;
  SetAsideTable set_aside_;
};

/// A fact of a data directory by name, as Store::meta.
using ReadMeta = std::function<Result<std::optional<std::string>>(std::string_view name)>;

/// The facts of a store, for a program that only looks: without keys, also while a relay runs.
class StoreFacts {
 public:
  /// Changes nothing. @returns Errc::not_found if there is no file; else an error with `problem`
  /// for people, as Store::open.
  static Result<std::unique_ptr<StoreFacts>> open(const std::string& path, std::string& problem);

  /// As Store::meta.
  Result<std::optional<std::string>> meta(std::string_view name);
  /// The ids of the webhooks that there are, by their numbers.
  Result<std::map<uint32_t, std::string>> webhook_ids();
  /// Writes a copy of the store, as it is at this moment, into a file at `path`, which is new
  /// or empty. Its contents are not durable yet. @returns an error with `problem` for people.
  Result<void> copy_to(const std::string& path, std::string& problem);

 private:
  StoreFacts() = default;

  Result<void> open_database(const std::string& path);

  Database database_;   // Before the statement: it goes first.
  Statement get_meta_;  // Empty if the file holds nothing yet.
  bool empty_ = false;
};

/// A store, or why there is none.
struct StoreOpenResult {
  std::unique_ptr<Store> store;
  Error error{};        ///< If there is no store.
  std::string problem;  ///< The same for people: path and reason.
};

}  // namespace ringpost::control
