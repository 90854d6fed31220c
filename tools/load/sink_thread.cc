#include "load/sink_thread.h"

#include "dialect/dialect.h"
#include "http/syntax.h"
#include "io/engine.h"
#include "io/listener.h"
#include "io/process.h"
#include "load/clock.h"
#include "load/event_maker.h"
#include "net/tls.h"
#include "sink/certificate.h"
#include "sink/doors.h"

#include <algorithm>

namespace ringpost::load {
namespace {

/// What an event's number may be: far more than a run makes, and a limit for a number from outside.
constexpr uint64_t places_max = 400'000'000;

}  // namespace

std::variant<std::unique_ptr<SinkThread>, std::string> SinkThread::start(Options options) {
  std::unique_ptr<SinkThread> made(new SinkThread(std::move(options)));
  std::promise<std::string> started;
  auto problem = started.get_future();
  if (!io::start_thread(made->thread_, "sink",
                        [&started, self = made.get()] { self->run(started); })) {
    return io::explain_thread_failure();
  }
  std::string text = problem.get();
  if (!text.empty()) return text;
  return made;
}

SinkThread::SinkThread(Options options) : options_(std::move(options)) {
  last_event_.resize(options_.keys * options_.webhooks);
}

SinkThread::~SinkThread() {
  stop();
}

void SinkThread::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(shared_.waking);
    shared_.over.store(true, std::memory_order_relaxed);
    if (io::Waker* waker = shared_.waker.load(std::memory_order_acquire)) waker->wake();
  }
  thread_.join();
}

std::string SinkThread::url(uint64_t webhook) const {
  return base_url_ + "/" + std::to_string(webhook);
}

// --- on the receiver's thread --------------------------------------------------------------------

/// @param started  gets the reason why not, or nothing; then the caller goes on, so it is gone.
void SinkThread::run(std::promise<std::string>& started) {
  const io::OpenedRing opened = io::open_ring(io::EngineChoice::automatic, io::FileUse::none);
  if (opened.ring == nullptr) return started.set_value(opened.problem);
  io::Ring& ring = *opened.ring;
  const auto address = io::Address::parse("127.0.0.1:0");
  const auto listener = ring.listen(*address, {.reuse_port = false});
  if (!listener) {
    return started.set_value(io::explain_listen_failure(*address, listener.error()));
  }
  const sink::Authority authority;
  const auto identity = authority.issue(sink::CertificateKind::good);
  const auto tls = net::ServerTls::create(identity.certificate_pem, identity.key_pem);
  const auto local = ring.local_address(*listener);
  if (!tls || !local) return started.set_value("the receiver cannot be set up");
  ca_pem_ = authority.ca_pem();
  base_url_ = "https://" + local->to_text();

  sink::Options receiving;
  receiving.on_request = [this](const http::Request& request, const dialect::Verdict& verdict) {
    take(request, verdict);
  };
  sink::Endpoints endpoints(receiving, ring.now());
  sink::Receiver receiver(ring, endpoints);
  const std::vector<std::unique_ptr<sink::Worker>> no_workers;
  sink::Doors doors(ring, endpoints, receiver, no_workers);
  sink::EndpointPlan plan;
  plan.secrets = options_.secrets;
  doors.open(*listener, *local, tls->get(), endpoints.add(std::move(plan)));
  shared_.waker.store(&ring.waker(), std::memory_order_release);
  started.set_value("");
  while (!shared_.over.load(std::memory_order_relaxed)) ring.turn(true);
  doors.stop();
  receiver.stop();
  while (ring.pending_count() > 0) ring.turn(true);
  const std::lock_guard until_woken(shared_.waking);  // Then its ring may go.
}

void SinkThread::take(const http::Request& request, const dialect::Verdict& verdict) {
  const Instant now = read_monotonic();
  const auto event = marked_number(request.body, options_.run);
  const auto webhook = http::parse_decimal(std::string_view{request.path}.substr(1));
  if (!event || !webhook || *webhook >= options_.webhooks ||
      *event >= places_max / options_.webhooks) {
    ++counts_.foreign;
    return;
  }
  ++counts_.requests;
  count_signature(verdict, *webhook);
  const size_t place = *event * options_.webhooks + *webhook;
  if (place >= arrived_.size()) arrived_.resize(std::max(place + 1, arrived_.size() * 2));
  if (arrived_[place] != Instant{}) {
    ++counts_.duplicates;
    return;
  }
  arrived_[place] = now;
  shared_.delivered.fetch_add(1, std::memory_order_relaxed);
  if (options_.keys > 0) note_order(*event, *webhook);
}

void SinkThread::count_signature(const dialect::Verdict& verdict, uint64_t webhook) {
  const auto* dialect = options_.dialects[webhook % options_.dialects.size()];
  if (!dialect->verifies()) {
    ++counts_.without_signing;
    return;
  }
  switch (verdict.kind) {
    case dialect::Verdict::Kind::authentic: ++counts_.signatures_good; break;
    case dialect::Verdict::Kind::refuted: ++counts_.signatures_bad; break;
    case dialect::Verdict::Kind::not_signed: ++counts_.unsigned_requests; break;
  }
}

void SinkThread::note_order(uint64_t event, uint64_t webhook) {
  uint64_t& last = last_event_[(event % options_.keys) * options_.webhooks + webhook];
  if (event + 1 < last) ++counts_.out_of_order;
  last = std::max(last, event + 1);
}

// --- afterwards ----------------------------------------------------------------------------------

SinkResults SinkThread::results(const Sent& sent) const {
  SinkResults results = counts_;
  results.delivered = delivered();
  std::optional<Schedule> schedule = sent.schedule;
  const Instant measured_from = sent.start + sent.warm_up;
  for (size_t event = 0; event < sent.accepted_at.size(); ++event) {
    if (schedule && event > 0 && event % sent.batch == 0) schedule->advance();
    const Instant accepted = sent.accepted_at[event];
    if (accepted == Instant{}) continue;
    const Instant due = schedule && schedule->due() ? sent.start + *schedule->due() : accepted;
    results.expected += options_.webhooks;
    for (size_t webhook = 0; webhook < options_.webhooks; ++webhook) {
      const size_t place = event * options_.webhooks + webhook;
      if (place >= arrived_.size() || arrived_[place] == Instant{}) {
        ++results.missing;
      } else if (due >= measured_from) {
        results.delivery.record(arrived_[place] - accepted);
        if (schedule) results.whole_way.record(arrived_[place] - due);
      }
    }
  }
  return results;
}

}  // namespace ringpost::load
