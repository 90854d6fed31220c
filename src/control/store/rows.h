#pragma once

#include "control/store/sealer.h"
#include "control/store/sqlite.h"
#include "subscription/git_source.h"
#include "subscription/token.h"
#include "subscription/webhook.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace ringpost::control {

// How webhooks, tokens and git sources lie in the store: one row each, lists as JSON texts, secrets
// sealed. Written and read here and nowhere else.

/// Columns of `webhook` but its number, in the order of bind_webhook's parameters; `a, b, …`.
std::string webhook_columns();
/// `?1, ?2, …`, one for each column.
std::string webhook_parameters();
/// The parameter after those: the number, for updates; and the column after those, when reading.
int webhook_number_index();

/// Names of the columns of `webhook` that hold sealed values: what a rotation of keys seals anew.
std::span<const std::string_view> sealed_webhook_columns();
/// Where the sealed value of a webhook's column is. Borrows both.
inline Sealer::Place webhook_place(std::string_view column, std::string_view id) {
  return {.table = "webhook", .column = column, .row = id};
}

/// Why a webhook cannot be stored, or a stored one cannot be used; empty if it can.
std::string object_to_webhook(const subscription::Webhook& webhook);

/// A webhook's lists as JSON, and what is sealed of it. The statement borrows them: they live until
/// its `reset`.
struct WebhookTexts {
  WebhookTexts(const subscription::Webhook& webhook, const Sealer& sealer);

  std::string id;
  std::string sources;
  std::string events;
  std::string headers;  ///< Sealed JSON: a value may be a credential.
  std::string secret;   ///< Sealed; so are the next two.
  std::string previous_secret;
  std::string settings;
  std::string schedule;
  std::string filter;
};

/// Binds every column; `webhook` and `texts` are borrowed until the statement's `reset`.
void bind_webhook(Statement& statement, const subscription::Webhook& webhook,
                  const WebhookTexts& texts);

/// Reads rows of `SELECT <webhook_columns>, number`. Keeps a parser between rows.
class WebhookReader {
 public:
  /// @param sealer  borrowed for the reader's life.
  explicit WebhookReader(const Sealer& sealer);
  ~WebhookReader();
  WebhookReader(const WebhookReader&) = delete;
  WebhookReader& operator=(const WebhookReader&) = delete;

  /// @returns what is wrong with the row; empty if `webhook` is whole.
  std::string read(const Statement& row, subscription::Webhook& webhook);

 private:
  struct Parser;
  const std::unique_ptr<Parser> parser_;
  const Sealer& sealer_;
};

/// A list of texts as a JSON array, and back. @returns whether it was one.
std::string texts_to_json(const std::vector<std::string>& texts);
bool read_texts(std::string_view json, std::vector<std::string>& out);

/// Columns of `token` but its number, and as many parameters.
inline constexpr std::string_view token_columns =
    "id, name, organization, scopes, sha256, created_at, sources, expires_at";
inline constexpr std::string_view token_parameters = "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8";

/// Why a token cannot be stored, or a stored one cannot be used; empty if it can.
std::string object_to_token(const subscription::Token& token);

/// A token's id and list as texts. The statement borrows them: they live until its `reset`.
struct TokenTexts {
  explicit TokenTexts(const subscription::Token& token);

  std::string id;
  std::string sources;
};

/// Binds every column; `token` and `texts` are borrowed until the statement's `reset`.
void bind_token(Statement& statement, const subscription::Token& token, const TokenTexts& texts);
/// Reads a row of `SELECT <token_columns>, number`. @returns as WebhookReader::read.
std::string read_token(const Statement& row, subscription::Token& token);

/// Columns of `git_source` but its number, and as many parameters.
inline constexpr std::string_view git_source_columns =
    "id, organization, host, description, path_token, secret, previous_secret, "
    "previous_secret_until, enabled, created_at, updated_at";
inline constexpr std::string_view git_source_parameters =
    "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11";
/// The parameter after those: the number, for updates.
inline constexpr int git_source_number_index = 12;

/// Names of its columns that hold sealed values, as `sealed_webhook_columns`.
std::span<const std::string_view> sealed_git_source_columns();
/// As `webhook_place`.
inline Sealer::Place git_source_place(std::string_view column, std::string_view id) {
  return {.table = "git_source", .column = column, .row = id};
}

/// Why a git source cannot be stored, or a stored one cannot be used; empty if it can.
std::string object_to_git_source(const subscription::GitSource& source);

/// Its id, and what is sealed of it. The statement borrows them: they live until its `reset`.
struct GitSourceTexts {
  GitSourceTexts(const subscription::GitSource& source, const Sealer& sealer);

  std::string id;
  std::string path_token;  ///< Sealed; so are the next two.
  std::string secret;
  std::string previous_secret;
};

/// Binds every column; both are borrowed until the statement's `reset`.
void bind_git_source(Statement& statement, const subscription::GitSource& source,
                     const GitSourceTexts& texts);
/// Reads a row of `SELECT <git_source_columns>, number`. @returns as WebhookReader::read.
std::string read_git_source(const Statement& row, const Sealer& sealer,
                            subscription::GitSource& source);

}  // namespace ringpost::control
