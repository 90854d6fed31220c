#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/forwarder.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/webhook_options.h"
#include "crypto/base64.h"
#include "http/url.h"
#include "io/engine.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <variant>

namespace ringpost::cli {
namespace {

/// Of a request in a stream: an event may have 16 MiB, a third more as base64.
constexpr size_t request_bytes_max = size_t{64} << 20;
/// For what comes after the receiver's answer.
constexpr Duration margin = std::chrono::seconds{1};

struct ListenOptions {
  WebhookOptions webhook;
  std::string receiver_ca;
  bool receiver_no_verify = false;
};

/// A listener of the relay, as its answer shows it.
struct Listener {
  std::string id;
  std::string secret;
  Duration timeout{};
};

/// One request of the stream.
struct Request {
  std::string delivery;
  uint64_t attempt = 0;
  std::string type;
  std::string source;
  std::string bytes;
};

std::optional<Request> read_request(const std::string& data) {
  simdjson::dom::parser parser;
  simdjson::dom::element object;
  Request request;
  if (!parse_json(data, parser, object)) return std::nullopt;
  if (object.at_pointer("/attempt").get(request.attempt) != simdjson::SUCCESS) return std::nullopt;
  const auto bytes = crypto::base64_decode(raw_text_of(object, "/request"));
  if (!bytes) return std::nullopt;
  request.bytes = *bytes;
  request.delivery = raw_text_of(object, "/delivery");
  request.type = raw_text_of(object, "/type");
  request.source = raw_text_of(object, "/source");
  return request;
}

std::string answer_body(const Request& request, const Forwarder::Forwarded& forwarded) {
  std::string body;
  JsonWriter json{body};
  json.begin_object().member("attempt", request.attempt);
  if (forwarded.error) {
    json.member("error", name(forwarded.error->code));
  } else {
    json.member("response", crypto::base64_encode(as_bytes(forwarded.answer)));
  }
  json.end_object();
  return body;
}

/// Errors that the relay takes in the place of an answer; what a receiver sent that is no HTTP is
/// passed on for the relay to judge.
bool is_told(const Forwarder::Forwarded& forwarded) {
  return forwarded.error.has_value() && forwarded.answer.empty();
}

std::string time_of_day() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char text[16];
  std::strftime(text, sizeof text, "%H:%M:%S", &local);
  return text;
}

/// A relay that does not answer holds nobody up.
void end_in_any_case() {
  std::thread([] {
    std::this_thread::sleep_for(std::chrono::seconds{5});
    std::fprintf(stderr,
                 "ringpost: the relay does not answer; it deletes the webhook by itself, a minute "
                 "after it has seen that nobody listens\n");
    std::fflush(stdout);
    _exit(1);
  }).detach();
}

/// Ends the listener when the command is told to end, and the command.
class EndOnSignal {
 public:
  EndOnSignal(const Session& session, const std::string& id);
  /// Whether it is told to. The process ends then: there is nothing more to say.
  bool is_ending() const { return is_ending_; }
  void wait() { thread_.join(); }

 private:
  std::atomic<bool> is_ending_ = false;
  std::thread thread_;
};

EndOnSignal::EndOnSignal(const Session& session, const std::string& id) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  thread_ = std::thread([this, signals, client = session.client, id] {
    int signal = 0;
    sigwait(&signals, &signal);
    is_ending_ = true;
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);  // The next one ends it at once.
    end_in_any_case();
    std::string problem;
    bool wrong_usage = false;
    if (const auto own = Client::create(client, problem, wrong_usage)) {
      own->request("DELETE", "/v1/webhooks/" + percent_encoded(id), "", "", problem);
    }
    std::fflush(stdout);
    _exit(0);
  });
}

/// Gives each request of the stream to the receiver, and its answer to the relay.
class Relaying {
 public:
  struct Parts {
    Session& session;
    Session& answering;  ///< The stream has the other one's connection.
    Forwarder& forwarder;
    const EndOnSignal& end;
  };

  Relaying(const Parts& parts, Listener listener) : parts_(parts), listener_(std::move(listener)) {}

  /// @returns whether to go on.
  bool take(const StreamEvent& event) {
    if (event.type == "notice") return take_notice(event);
    if (event.type != "request") return true;
    const auto request = read_request(event.data);
    if (!request) return true;
    const auto begun = std::chrono::steady_clock::now();
    // A little sooner than the relay gives up: then it hears why.
    const Duration time = listener_.timeout - std::min<Duration>(listener_.timeout / 10, margin);
    Forwarder::Forwarded forwarded = parts_.forwarder.forward(request->bytes, time);
    const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - begun);
    if (!is_told(forwarded)) forwarded.error.reset();
    print(*request, forwarded, taken);
    give_back(*request, forwarded);
    is_broken_ = std::fflush(stdout) != 0;
    return !is_broken_;
  }

  bool is_over() const { return is_broken_ || is_gone_; }
  bool is_gone() const { return is_gone_; }

 private:
  bool take_notice(const StreamEvent& event) {
    simdjson::dom::parser parser;
    simdjson::dom::element notice;
    if (parts_.end.is_ending() || !parse_json(event.data, parser, notice)) return true;
    std::fprintf(stderr, "ringpost: %s\n", text_of(notice, "/detail").c_str());
    const std::string_view code = raw_text_of(notice, "/code");
    is_gone_ = code == "replaced" || code == "deleted" || code == "disabled";
    return !is_gone_;
  }

  void give_back(const Request& request, const Forwarder::Forwarded& forwarded) {
    const std::string target = "/v1/listeners/" + percent_encoded(listener_.id) + "/answers/" +
                               percent_encoded(request.delivery);
    const auto answer = parts_.answering.exchange("POST", target, answer_body(request, forwarded),
                                                  "application/json");
    if (!answer || answer->ok()) return;
    std::fprintf(stderr, "ringpost: the relay did not take the answer to %s: %s\n",
                 shown(request.delivery).c_str(),
                 answer->status == 404 ? "it came too late, or the listener has ended"
                                       : shown(answer->body).c_str());
  }

  void print(const Request& request, const Forwarder::Forwarded& forwarded,
             std::chrono::milliseconds taken) const {
    if (parts_.session.json) return print_json(request, forwarded, taken);
    const std::string result = forwarded.error         ? describe(*forwarded.error)
                               : forwarded.status == 0 ? "no HTTP answer"
                                                       : std::to_string(forwarded.status);
    std::printf(
        "%s  %-20s  %-20s  %s  %lld ms  %s%s\n", time_of_day().c_str(), shown(request.type).c_str(),
        shown(request.source).c_str(), result.c_str(), static_cast<long long>(taken.count()),
        shown(request.delivery).c_str(),
        request.attempt > 1 ? (", attempt " + std::to_string(request.attempt)).c_str() : "");
  }

  static void print_json(const Request& request, const Forwarder::Forwarded& forwarded,
                         std::chrono::milliseconds taken) {
    std::string line;
    JsonWriter json{line};
    json.begin_object()
        .member("delivery", request.delivery)
        .member("attempt", request.attempt)
        .member("type", request.type)
        .member("source", request.source)
        .member("status", forwarded.status)
        .member("error", forwarded.error ? name(forwarded.error->code) : "")
        .member("duration_ms", static_cast<int64_t>(taken.count()))
        .end_object();
    std::printf("%s\n", shown_json(line).c_str());
  }

  const Parts parts_;
  const Listener listener_;
  bool is_broken_ = false;  ///< Nobody reads what is printed.
  bool is_gone_ = false;    ///< The listener has ended, or another program listens now.
};

/// A session for the same relay, with a connection of its own.
Session another(const Session& session) {
  Session other;
  other.client = session.client;
  other.url = session.url;
  other.token_from = session.token_from;
  return other;
}

std::optional<Listener> begin_listener(Session& session, const std::string& body) {
  const bool as_json = std::exchange(session.json, false);  // It is not printed as it comes.
  const auto answer = session.call("POST", "/v1/listeners", body);
  session.json = as_json;
  simdjson::dom::parser parser;
  simdjson::dom::element webhook;
  if (!answer || !parse_answer(*answer, parser, webhook)) return std::nullopt;
  uint64_t timeout_ms = 30'000;
  if (webhook.at_pointer("/timeout_ms").get(timeout_ms) != simdjson::SUCCESS) return std::nullopt;
  return Listener{.id = std::string{raw_text_of(webhook, "/id")},
                  .secret = text_of(webhook, "/secret"),
                  .timeout = std::chrono::milliseconds{timeout_ms}};
}

void print_beginning(const Session& session, const ListenOptions& options,
                     const Listener& listener) {
  FILE* const out = session.json ? stderr : stdout;
  std::fprintf(out, "Listening as webhook %s; Ctrl-C ends it.\n", shown(listener.id).c_str());
  std::fprintf(out, "Requests go to %s\n", shown(*options.webhook.url).c_str());
  const bool minted = !listener.secret.empty() && options.webhook.secret.empty();
  if (minted) std::fprintf(out, "Secret: %s\n", listener.secret.c_str());
  std::fflush(out);
}

std::unique_ptr<Forwarder> make_forwarder(const ListenOptions& options, const http::Url& url,
                                          std::string& problem) {
  std::unique_ptr<net::ClientTls> tls;
  if (url.tls) {
    ClientOptions trust;
    trust.ca_file = options.receiver_ca;
    trust.verify = !options.receiver_no_verify;
    tls = make_tls(trust, problem);
    if (tls == nullptr) return nullptr;
  }
  io::OpenedRing opened = io::open_ring(io::EngineChoice::automatic, io::FileUse::none);
  problem = opened.problem;
  if (opened.ring == nullptr) return nullptr;
  return std::make_unique<Forwarder>(std::move(opened.ring), url, std::move(tls));
}

int listen(Session& session, const ListenOptions& options) {
  const auto parsed = http::parse_url(*options.webhook.url);
  if (const auto* wrong = std::get_if<http::UrlProblem>(&parsed)) {
    return report_usage({"--forward " + wrong->reason});
  }
  const auto body = webhook_body(options.webhook, true);
  if (const auto* problem = std::get_if<UsageProblem>(&body)) return report_usage(*problem);
  std::string problem;
  const auto forwarder = make_forwarder(options, std::get<http::Url>(parsed), problem);
  if (forwarder == nullptr) return report_usage({problem});

  const auto listener = begin_listener(session, std::get<std::string>(body));
  if (!listener) return session.failure_code();
  // Lives as long as the process: its thread waits for a signal that may never come.
  auto* const end_on_signal = new EndOnSignal(session, listener->id);
  print_beginning(session, options, *listener);
  Session answering = another(session);
  Relaying relaying({session, answering, *forwarder, *end_on_signal}, *listener);
  const int code =
      follow_stream(session, "/v1/listeners/" + percent_encoded(listener->id) + "/stream",
                    {.on_begin = [] {},
                     .take = [&](const StreamEvent& event) { return relaying.take(event); },
                     .is_over = [&] { return relaying.is_over() || end_on_signal->is_ending(); },
                     .was_reached = true,
                     .bytes_max = request_bytes_max});
  if (end_on_signal->is_ending()) end_on_signal->wait();
  return code == 0 && relaying.is_gone() ? exit_refused : code;
}

constexpr const char* notes =
    "For a receiver under development, which no relay can reach: makes a webhook that lasts as "
    "long as the command, gets its requests from the relay, sends each to --forward as the relay "
    "would send it, signature and all, and shows what came back. The relay records the answer as "
    "that of the delivery, so that `ringpost delivery show` and `redeliver` work as ever. One "
    "request is sent at a time, and each is sent once: `redeliver` repeats it.\n"
    "\n"
    "After a lost connection the command connects again; meanwhile deliveries wait. When it has "
    "ended, or has been away for a minute and the time of an attempt, its webhook is deleted. The "
    "scope is webhooks:write.\n"
    "\n"
    "  ringpost listen --forward http://localhost:3000/hook\n"
    "  ringpost listen --forward http://localhost:3000/hook --dialect bitrise --app c0ffee --event "
    "'build/*'";

}  // namespace

void add_listen_command(CLI::App& app, Session& session, Action& action) {
  CLI::App* command =
      app.add_subcommand("listen", "Try a receiver under development with real deliveries");
  auto options = std::make_shared<ListenOptions>();
  command
      ->add_option("--forward", options->webhook.url,
                   "Where the receiver is, as seen from here: http://localhost:3000/hook")
      ->type_name("URL")
      ->required();
  constexpr const char* group = "The webhook";
  add_dialect_option(*command, options->webhook, group);
  add_secret_option(*command, options->webhook.secret,
                    "Signing secret or token, as the dialect wants it: @FILE, or - for standard "
                    "input; default: RINGPOST_SECRET, or one that the dialect generates")
      ->group(group);
  add_setting_option(*command, options->webhook, group);
  add_header_option(*command, options->webhook, true, group);
  command
      ->add_option("--timeout", options->webhook.timeout,
                   "Total time of one attempt, 100ms to 120s")
      ->type_name("TIME")
      ->group(group);
  add_match_options(*command, options->webhook);
  constexpr const char* receiver = "The receiver";
  command
      ->add_option("--forward-ca", options->receiver_ca,
                   "PEM file: verify the receiver against this CA")
      ->type_name("FILE")
      ->group(receiver);
  command
      ->add_flag("--forward-no-verify", options->receiver_no_verify,
                 "Do not verify the receiver's certificate")
      ->group(receiver);
  add_session_options(*command, session);
  add_notes(*command, notes);
  command->callback([&, options] {
    options->webhook.no_retries = true;
    options->webhook.concurrency = 1;
    action = [&session, options] { return listen(session, *options); };
  });
}

}  // namespace ringpost::cli
