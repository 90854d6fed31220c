#pragma once

#include "base/json_writer.h"
#include "cli/input.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringpost::cli {

/// What `webhook add` and `webhook update` may say; what was not given is not sent, so that the
/// dialect's default or the present value stays.
struct WebhookOptions {
  std::string id;
  std::string wait;  ///< Of a ping.
  std::optional<std::string> url;
  std::optional<std::string> dialect;
  std::optional<std::string> description;
  std::optional<std::string> organization;
  std::vector<std::string> sources;
  std::vector<std::string> apps;       ///< Sources `app/…`; the two below likewise.
  std::vector<std::string> pipelines;  ///< `pipeline/…`
  std::vector<std::string> resources;  ///< `resource/TYPE/ID`
  std::vector<std::string> events;
  std::optional<std::string> branches;
  std::vector<std::string> teams;
  std::vector<std::string> clusters;
  std::vector<std::string> where;     ///< Conditions on the event's data (where.h).
  std::vector<std::string> headers;   ///< `Name: value`, or `@FILE` of such lines.
  std::vector<std::string> settings;  ///< `key=value`
  std::string secret;                 ///< Where it is read from (read_secret).
  bool no_verify = false;
  std::string ca_file;
  std::vector<std::string> schedule;  ///< Spans of time.
  bool no_retries = false;
  std::string timeout;  ///< A span of time.
  std::optional<uint32_t> concurrency;
  std::optional<uint32_t> rate;
  std::vector<std::string> reset;  ///< Members of a webhook, as the API calls them.
};

/// The object that `--setting` makes of `key=value` texts: a value is JSON, else a word, or
/// `@FILE`.
Usable<std::string> settings_object(const std::vector<std::string>& settings);

/// The body of POST /v1/webhooks (`creates`) or PATCH /v1/webhooks/ID. Reads the files that the
/// options name.
Usable<std::string> webhook_body(const WebhookOptions& options, bool creates);

struct RotationOptions {
  std::string secret;   ///< As above.
  std::string overlap;  ///< A span of time; empty: the dialect's default.
};

/// The body of POST /v1/webhooks/ID/rotate-secret; empty if nothing is said.
Usable<std::string> rotation_body(const RotationOptions& options);

/// The member `headers` of a request, from texts as WebhookOptions::headers has them; nothing is
/// written if there are none. @param creates  a name without a value has an empty one; otherwise
/// null.
std::optional<UsageProblem> write_headers(JsonWriter& json, const std::vector<std::string>& headers,
                                          bool creates);

/// The option that sets a member of the API's requests (`filter.branches`: `--branches`); empty if
/// none does.
std::string_view option_of_member(std::string_view member);

}  // namespace ringpost::cli
