#include "control/host_talk.h"

#include "base/text.h"
#include "http/url.h"

#include <utility>

namespace ringpost::control {

namespace {

HostAnswer host_answer(const net::ClientAnswer& answer) {
  HostAnswer made{.error = answer.error,
                  .status = answer.status,
                  .head = {},
                  .body = answer.body,
                  .truncated = answer.truncated};
  for (const http::Header& header : answer.headers) {
    made.head.append(header.name).append(": ").append(header.value).append("\r\n");
  }
  return made;
}

}  // namespace

HostCaller host_caller(OutgoingCalls& calls) {
  return [&calls](githost::Request request, std::function<void(HostAnswer)> done) {
    auto parsed = http::parse_url(request.url);
    auto* url = std::get_if<http::Url>(&parsed);
    if (url == nullptr) {  // The URL of a next page, say.
      done({.error = Error{Errc::malformed, Side::endpoint}, .head = {}, .body = {}});
      return;
    }
    net::ClientRequest sent{.url = std::move(*url),
                            .method = std::move(request.method),
                            .headers = std::move(request.headers),
                            .body = std::move(request.body),
                            .timeout = host_call_timeout,
                            .answer_bytes_max = host_answer_bytes_max};
    calls.start(std::move(sent), [done = std::move(done)](const net::ClientAnswer& answer) {
      done(host_answer(answer));
    });
  };
}

std::optional<githost::Failure> failure_of(const githost::Repository& repository,
                                           const HostAnswer& answer, WallTime now) {
  if (answer.error) {
    return githost::Failure{std::string{title(repository.host)} + " at " + repository.api +
                            " could not be asked: " + describe(*answer.error)};
  }
  if (answer.truncated) return githost::too_large(repository.host);
  auto failure = githost::failure_of(repository.host, answer.reply(), now);
  // Hosts may say what they were sent.
  if (failure) replace_all(failure->text, repository.token, "*****");
  return failure;
}

bool never_arrived(const Error& error) {
  switch (error.code) {
    case Errc::refused:
    case Errc::unreachable:
    case Errc::overloaded:
    case Errc::destination_denied:
    case Errc::name_unresolved:
    case Errc::name_timed_out:
    case Errc::tls_failed:
    case Errc::certificate_invalid: return true;
    default: return false;
  }
}

HostTalk::HostTalk(HostCaller caller, std::function<void()> wake)
    : caller_(std::move(caller)),
      wake_(std::move(wake)),
      inbox_(std::make_shared<std::deque<Answered>>()) {}

uint64_t HostTalk::start(githost::Request request) {
  const uint64_t ticket = next_ticket_++;
  const std::weak_ptr<std::deque<Answered>> inbox = inbox_;
  auto done = [this, inbox, ticket](HostAnswer answer) {
    const auto kept = inbox.lock();
    if (!kept) return;  // And so is `this` gone.
    kept->push_back({ticket, std::move(answer)});
    wake_();
  };
  caller_(std::move(request), std::move(done));
  return ticket;
}

std::optional<HostTalk::Answered> HostTalk::take() {
  if (inbox_->empty()) return std::nullopt;
  Answered answered = std::move(inbox_->front());
  inbox_->pop_front();
  return answered;
}

}  // namespace ringpost::control
