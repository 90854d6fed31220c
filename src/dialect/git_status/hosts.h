#pragma once

#include "base/json_writer.h"
#include "dialect/git_status/build_status.h"
#include "subscription/git_source.h"
#include "subscription/webhook.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// How each git host takes a commit's status: the path, the body and how the token is sent.

namespace ringpost::dialect::git_status {

using Host = subscription::GitHost;  ///< One of those that `host_names` tells.

std::optional<Host> parse_host(std::string_view text);
/// As a list with commas.
std::string host_names();

/// One status, all of it checked: nothing in it is beyond what every host takes.
struct CommitStatus {
  std::string repository;   ///< `acme/shop`.
  std::string commit;       ///< 40 or 64 hexadecimal digits in lower case.
  std::string context;      ///< What tells the builds of a commit apart.
  std::string description;  ///< For people; may be empty.
  std::string target_url;   ///< http or https; may be empty.
  State state{};
};

/// Whether the text is a whole commit id: 40 digits (SHA-1) or 64 (SHA-256), of either case.
bool is_commit(std::string_view text);

/// Why the URL cannot be that of the host's API, as a part of a sentence; empty if it can.
std::string_view object_to_url(Host host, const subscription::Destination& destination);
/// The path at which the host's API begins, without a slash at its end: that of the webhook's URL,
/// and the part that all hosts of a kind have (`/api/v4`), if it is not there already.
std::string api_path(Host host, const subscription::Destination& destination);

/// Where the host's own pages begin, without a slash at its end.
std::string pages_url(Host host, const subscription::Destination& destination);

/// Appends the path of the request behind `api_path`.
void append_path(Host host, const CommitStatus& status, std::string& out);
/// Writes the request's body: cuts what would be too long for the host.
/// @param pages  what `pages_url` gives: a status without a link is given one to the commit's page
///               where the host cannot do without.
void write_body(Host host, std::string_view pages, const CommitStatus& status, std::string& out);
/// Appends the headers that the host wants, and the token.
void append_host_headers(Host host, std::string_view token, std::string& head);

}  // namespace ringpost::dialect::git_status
