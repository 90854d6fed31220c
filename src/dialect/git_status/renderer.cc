#include "dialect/git_status/renderer.h"

#include "base/bytes.h"
#include "crypto/digest.h"
#include "dialect/content.h"
#include "dialect/git_status/build_status.h"
#include "dialect/git_status/hosts.h"
#include "dialect/git_status/settings.h"
#include "dialect/head.h"
#include "githost/host_api.h"
#include "http/syntax.h"
#include "http/url.h"

#include <algorithm>
#include <utility>

namespace ringpost::dialect::git_status {
namespace {

using subscription::Webhook;

constexpr size_t target_url_bytes_max = 255;  // GitLab's limit.

Error unrenderable(Unrenderable reason) {
  return {Errc::not_renderable, Side::producer, static_cast<int32_t>(reason)};
}

/// Renderers are many and a document keeps memory, so all of a shard share two.
EventValues values_of(const journal::EventView& event) {
  static thread_local json::Document data;
  static thread_local json::Document extensions;
  return {event, data, extensions};
}

/// Nothing where the webhook leaves it to the event.
std::optional<TextTemplate> compiled(const Settings& settings, Settings::Text which) {
  if (settings.text(which).empty()) return std::nullopt;
  auto made = TextTemplate::compile(settings.text(which));
  auto* text = std::get_if<TextTemplate>(&made);
  return text != nullptr ? std::optional{std::move(*text)} : std::nullopt;
}

/// What hosts take for a link; empty otherwise, since a status without one is better than none.
std::string link_or_nothing(std::string text) {
  const bool usable = text.size() <= target_url_bytes_max &&
                      std::holds_alternative<http::Url>(http::parse_url(text));
  return usable ? std::move(text) : std::string{};
}

class StatusRenderer final : public Renderer {
 public:
  StatusRenderer(const Webhook& webhook, const Settings& settings)
      : host_(*settings.host),
        api_path_(api_path(host_, webhook.destination)),
        pages_url_(pages_url(host_, webhook.destination)),
        repository_(compiled(settings, Settings::Text::repository)),
        commit_(compiled(settings, Settings::Text::commit)),
        context_(compiled(settings, Settings::Text::context)),
        description_(compiled(settings, Settings::Text::description)),
        target_url_(compiled(settings, Settings::Text::target_url)) {
    const std::string fixed = fixed_part(webhook);
    headers_ = fixed.substr(fixed.find("\r\n"));  // The request line's path is the commit's.
    if (!webhook.secret.empty()) append_host_headers(host_, webhook.secret, headers_);
  }

  std::optional<Error> render(const AttemptFacts& facts, Request& request) override {
    EventValues values = values_of(facts.event);
    CommitStatus status;
    if (auto reason = read(values, status)) return unrenderable(*reason);
    request.head.append("POST ").append(api_path_);
    append_path(host_, status, request.head);
    request.head.append(" HTTP/1.1").append(headers_);
    write_body(host_, pages_url_, status, request.made_body);
    request.send_made_body();
    append_delivery(request.head, facts);
    finish_bare(request, facts, "application/json");
    return std::nullopt;
  }

  uint64_t subject(const journal::EventView& event) override {
    EventValues values = values_of(event);
    CommitStatus status;
    if (read(values, status)) return 0;
    const std::string text = status.repository + '\n' + status.commit + '\n' + status.context;
    const crypto::Digest hash = crypto::sha256(as_bytes(text));
    return std::max<uint64_t>(load_le<uint64_t>(crypto::bytes_of(hash).data()), 1);
  }

 private:
  std::optional<Unrenderable> read(EventValues& values, CommitStatus& status) const {
    if (!data_is_object(values.event())) return Unrenderable::data_object;
    const auto state = state_of(values.event().type, values.data());
    if (!state) return Unrenderable::no_state;
    status.state = *state;
    status.commit = commit_ ? commit_->fill(values) : commit_of(values);
    if (!is_commit(status.commit)) return Unrenderable::no_commit;
    std::ranges::transform(status.commit, status.commit.begin(), http::to_lower);
    status.repository = repository_ ? repository_->fill(values)
                                    : githost::repository_path(host_, repository_of(values));
    if (!githost::is_repository(host_, status.repository)) return Unrenderable::no_repository;
    status.context = context_ ? context_->fill(values) : std::string{values.event().source};
    if (status.context.empty()) status.context = values.event().source;
    status.description = description_ ? description_->fill(values) : description_of(*state, values);
    status.target_url =
        link_or_nothing(target_url_ ? target_url_->fill_url(values) : target_url_of(values));
    return std::nullopt;
  }

  const Host host_;
  const std::string api_path_;
  const std::string pages_url_;
  const std::optional<TextTemplate> repository_;
  const std::optional<TextTemplate> commit_;
  const std::optional<TextTemplate> context_;
  const std::optional<TextTemplate> description_;
  const std::optional<TextTemplate> target_url_;
  std::string headers_;  ///< From the end of the request line on.
};

/// Of a webhook with settings that this version cannot read: another one stored them.
class NoRenderer final : public Renderer {
 public:
  std::optional<Error> render(const AttemptFacts&, Request&) override {
    return Error{Errc::unsupported, Side::operator_};
  }
};

}  // namespace

std::unique_ptr<Renderer> make_status_renderer(const Webhook& webhook) {
  const Settings settings = Settings::of(webhook);
  if (!settings.host) return std::make_unique<NoRenderer>();
  return std::make_unique<StatusRenderer>(webhook, settings);
}

}  // namespace ringpost::dialect::git_status
