#pragma once

#include "githost/host_api.h"
#include "githost/reply.h"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// The webhooks that a repository has at its host: listed, made and changed over the host's API.

namespace ringpost::githost {

/// Whether a webhook can be made over the API of a host of this kind.
bool has_hooks(GitHost host);

struct Hook {
  std::string id;
  std::string url;  ///< That it calls.
};

/// The list of a repository's webhooks, page by page.
class HookList {
 public:
  explicit HookList(const Repository& repository);

  /// For the next page. Only while it is not complete.
  Request request() const;
  /// Takes the page. @returns why it is none.
  std::optional<Failure> add(const Reply& reply, WallTime now);
  bool is_complete() const { return next_.empty(); }
  const std::vector<Hook>& hooks() const { return hooks_; }

 private:
  std::string url_of_page(size_t number) const;
  std::string next_of(const Reply& reply, size_t found) const;

  Repository repository_;
  std::string next_;  ///< The URL of the next page; empty: there is none.
  size_t pages_ = 0;
  std::vector<Hook> hooks_;
};

/// What a webhook of ours says.
struct HookSettings {
  std::string url;
  std::string secret;
};

/// Makes one that sends pushes, pull requests and comments on them.
Request create_hook(const Repository& repository, const HookSettings& settings);
/// Gives one these settings; what it sends becomes what `create_hook` asks for.
Request update_hook(const Repository& repository, std::string_view id,
                    const HookSettings& settings);
/// Whether a change leaves the webhook's secret as it was, whatever it says: then a new webhook
/// takes the place of the old one.
bool keeps_secret(GitHost host);
Request delete_hook(const Repository& repository, std::string_view id);
/// The id in the answer that made or changed one.
std::variant<std::string, Failure> read_hook_id(GitHost host, const Reply& reply);

/// The URL of the API's list of webhooks.
std::string hooks_url(const Repository& repository);
/// Of one of them.
std::string hook_url(const Repository& repository, std::string_view id);

}  // namespace ringpost::githost
