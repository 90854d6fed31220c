#include "sink/endpoints.h"

#include "base/log.h"
#include "crypto/digest.h"
#include "crypto/hex.h"
#include "crypto/random.h"
#include "dialect/dialect.h"
#include "http/syntax.h"

#include <algorithm>

namespace ringpost::sink {
namespace {

using Kind = dialect::Verdict::Kind;

const char* word_for(Kind kind) {
  switch (kind) {
    case Kind::authentic: return "good";
    case Kind::refuted: return "bad";
    case Kind::not_signed: break;
  }
  return "none";
}

/// What names the delivery in whichever dialect the request is; empty: nothing does.
std::string_view delivery_of(const dialect::Received& received) {
  for (const dialect::Dialect* dialect : dialect::all()) {
    if (const auto id = dialect->delivery_of(received); !id.empty()) return id;
  }
  return {};
}

HashKey random_key() {
  HashKey key;
  crypto::fill(std::as_writable_bytes(std::span{key}));
  return key;
}

/// The number and the ordering key of a request's event.
struct EventMark {
  std::optional<uint64_t> number;
  std::optional<std::string> key;
};

EventMark mark_of(std::string_view text, const Options& options, simdjson::dom::parser& parser) {
  EventMark mark;
  if (options.id_member.empty()) return mark;
  simdjson::dom::element body;
  uint64_t number = 0;
  if (parser.parse(text).get(body) != simdjson::SUCCESS ||
      body.at_pointer("/" + options.id_member).get(number) != simdjson::SUCCESS) {
    return mark;
  }
  mark.number = number;
  simdjson::dom::element key;
  if (!options.order_key.empty() &&
      body.at_pointer("/" + options.order_key).get(key) == simdjson::SUCCESS) {
    mark.key = simdjson::minify(key);
  }
  return mark;
}

}  // namespace

Endpoints::Endpoints(const Options& options, Instant start)
    : options_(options), start_(start), key_(random_key()) {
  if (!options.ledger_file.empty()) ledger_ = std::fopen(options.ledger_file.c_str(), "ae");
}

Endpoints::~Endpoints() {
  if (ledger_ != nullptr) std::fclose(ledger_);
}

Endpoint& Endpoints::add(EndpointPlan plan) {
  const uint64_t seed = options_.seed + endpoints_.size();
  Endpoint& endpoint = endpoints_.emplace_back(std::move(plan), seed, key_, options_.expect);
  by_host_[endpoint.name() + ".sink.localhost"] = &endpoint;
  return endpoint;
}

void Endpoints::wake_at(uint64_t requests, io::Waker& waker) {
  wake_at_ = requests;
  waker_ = &waker;
}

Endpoint* Endpoints::find(std::string_view host) {
  std::string name{host.substr(0, host.find(':'))};
  std::ranges::transform(name, name.begin(), http::to_lower);
  const auto found = by_host_.find(name);
  return found == by_host_.end() ? nullptr : found->second;
}

Endpoint::Taken Endpoints::take(Endpoint& endpoint, const http::Request& request,
                                const Moment& moment, simdjson::dom::parser& parser) {
  const uint64_t count = requests_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (count == 1) first_request_.store(moment.monotonic, std::memory_order_relaxed);
  last_request_.store(moment.monotonic, std::memory_order_relaxed);
  if (count == wake_at_) waker_->wake();

  const dialect::Received received{request.headers, as_bytes(request.body)};
  const Endpoint::Signature signature = endpoint.verify(received, moment.wall);
  const EventMark mark = mark_of(request.body, options_, parser);
  const Ledger::Sighting sighting{
      .delivery = delivery_of(received), .number = mark.number, .key = mark.key};
  const Endpoint::Taken taken =
      endpoint.take(moment.monotonic - start_, request.body.size(), signature, sighting);
  note(endpoint, request, {signature.verdict, sighting.delivery, taken.decision.status},
       moment.wall);
  if (options_.on_request) options_.on_request(request, signature.verdict);
  return taken;
}

void Endpoints::count(Endpoint* endpoint, uint64_t Totals::*what) {
  if (endpoint != nullptr) return endpoint->count(what);
  const std::lock_guard lock(unnamed_mutex_);
  ++(unnamed_.*what);
}

// --- notes ---------------------------------------------------------------------------------------

void Endpoints::note(const Endpoint& endpoint, const http::Request& request,
                     const Judgement& judgement, WallTime now) {
  if (ledger_ != nullptr) write_line(endpoint, request, judgement, now);
  if (options_.print) print(endpoint, request, judgement);
}

/// In one piece: other threads print, too.
void Endpoints::print(const Endpoint& endpoint, const http::Request& request,
                      const Judgement& judgement) {
  std::string text = endpoints_.size() > 1 ? endpoint.name() + ": " : "";
  text += request.method + " " + printable(request.target) + "  signature " +
          word_for(judgement.signature.kind) + "  answered " + std::to_string(judgement.status) +
          "\n";
  if (judgement.signature.kind == Kind::refuted) {
    text += "  because " + printable(judgement.signature.reason) + "\n";
  }
  for (const http::Header& header : request.headers) {
    text += "  " + printable(header.name) + ": " + printable(header.value) + "\n";
  }
  constexpr size_t shown = 2000;
  text += "  " + printable(std::string_view(request.body).substr(0, shown)) +
          (request.body.size() > shown ? " …" : "") + "\n\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void Endpoints::write_line(const Endpoint& endpoint, const http::Request& request,
                           const Judgement& judgement, WallTime now) {
  const std::string hash =
      crypto::hex_encode(crypto::bytes_of(crypto::sha256(as_bytes(request.body))));
  std::fprintf(
      ledger_, "%lld\t%s\t%s\t%s\t%s\t%u%s%s\n", static_cast<long long>(to_unix_ns(now)),
      printable(judgement.delivery).c_str(), printable(request.header("ringpost-attempt")).c_str(),
      hash.c_str(), word_for(judgement.signature.kind), judgement.status,
      endpoints_.size() > 1 ? "\t" : "", endpoints_.size() > 1 ? endpoint.name().c_str() : "");
  std::fflush(ledger_);  // A killed sink has noted what it answered.
}

// --- sums ----------------------------------------------------------------------------------------

Totals Endpoints::totals() const {
  Totals sum;
  {
    const std::lock_guard lock(unnamed_mutex_);
    sum = unnamed_;
  }
  for (const Endpoint& endpoint : endpoints_) sum.add(endpoint.read().totals);
  return sum;
}

uint64_t Endpoints::sum(uint64_t (Ledger::*figure)() const) const {
  uint64_t sum = 0;
  for (const Endpoint& endpoint : endpoints_) sum += (endpoint.read().ledger.*figure)();
  return sum;
}

Duration Endpoints::busy_time() const {
  return last_request_.load(std::memory_order_relaxed) -
         first_request_.load(std::memory_order_relaxed);
}

}  // namespace ringpost::sink
