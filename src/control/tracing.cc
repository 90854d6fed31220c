#include "control/tracing.h"

#include "base/log.h"
#include "base/text.h"
#include "base/ulid.h"
#include "control/trace_spans.h"
#include "http/date.h"
#include "http/syntax.h"
#include "json/document.h"
#include "net/tls.h"
#include "ringpost/version.h"

#include <algorithm>
#include <array>

namespace ringpost::control {
namespace {

/// The same problem is said in the log again after so long.
constexpr Duration told_again = std::chrono::minutes(10);
/// Of an answer, shown to people.
constexpr size_t detail_bytes_max = 400;
constexpr uint32_t answer_bytes_max = 16 * 1024;

/// OTLP 1.x, "Retryable response codes": all others are final.
bool is_passing(uint16_t status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

std::string spans_text(uint64_t count) {
  return std::to_string(count) + (count == 1 ? " span" : " spans");
}

std::string shortened(std::string text) {
  if (text.size() > detail_bytes_max) text.resize(detail_bytes_max);
  for (char& byte : text) {
    if (static_cast<uint8_t>(byte) < ' ' || byte == 0x7f) byte = ' ';
  }
  return text;
}

std::string minted_id(Prng& random) {
  Ulid id;
  for (uint8_t& byte : id.bytes) byte = static_cast<uint8_t>(random.below(256));
  return id.to_uuid_text();
}

}  // namespace

Tracing::Tracing(OutgoingCalls& calls, Prng& random, std::function<void()> wake)
    : calls_(calls), random_(random), wake_(std::move(wake)) {}

/// What failed is tried at once.
void Tracing::set(TracingSettings settings) {
  settings_ = std::move(settings);
  failures_ = 0;
  batch_failed_at_.reset();
  not_before_ = {};
  told_problem_.clear();
  if (is_on() && instance_id_.empty()) instance_id_ = minted_id(random_);
  if (is_on()) return;
  problem_.clear();
  drop_all();
}

/// Nobody wants them any more.
void Tracing::drop_all() {
  dropped_away_ += queue_.size();
  queue_.clear();
  queue_bytes_ = 0;
  if (calling_) return;
  dropped_away_ += batch_.size();
  batch_.clear();
}

// --- spans ---------------------------------------------------------------------------------------

void Tracing::on_event(const journal::EventView& event, WallTime durable_at, Instant now) {
  if (event.is_carried()) return;  // Its first record had its span.
  const OtlpSpan span = span_of(event, durable_at, settings_.sample_ratio);
  if (span.context.sampled) put(span, now);
}

void Tracing::on_attempt(const AttemptTraced& attempt, const subscription::Webhook* webhook,
                         Instant now) {
  put(span_of(attempt, webhook, settings_.sample_ratio), now);
}

void Tracing::put(const OtlpSpan& span, Instant now) {
  std::string text = to_otlp(span);
  const bool full =
      queue_.size() >= queued_spans_max || queue_bytes_ + text.size() > queued_bytes_max;
  if (full) {
    ++dropped_full_;
    return;
  }
  if (queue_.empty()) oldest_at_ = now;
  queue_bytes_ += text.size();
  queue_.push_back(std::move(text));
  if (queue_.size() == 1 || queue_.size() == batch_spans_max) wake_();
}

// --- batches -------------------------------------------------------------------------------------

void Tracing::step(WallTime wall_now, Instant now) {
  wall_now_ = wall_now;
  now_ = now;
  const auto at = due();
  if (!at || now < *at) return;
  if (batch_.empty()) take_batch();
  send();
}

std::optional<Instant> Tracing::due() const {
  if (!is_on() || calling_ || (batch_.empty() && queue_.empty())) return std::nullopt;
  const bool whole = !batch_.empty() || queue_.size() >= batch_spans_max;
  return std::max(not_before_, whole ? oldest_at_ : oldest_at_ + batch_delay_max);
}

void Tracing::take_batch() {
  size_t bytes = 0;
  while (!queue_.empty() && batch_.size() < batch_spans_max && bytes < batch_bytes_max) {
    bytes += queue_.front().size();
    batch_.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queue_bytes_ -= bytes;
}

void Tracing::send() {
  std::vector<OtlpAttribute> resource;
  for (const auto& [key, value] : settings_.resource) resource.push_back({key, value});
  resource.push_back({"service.version", std::string{version}});
  resource.push_back({"service.instance.id", instance_id_});
  net::ClientRequest request{.url = *settings_.endpoint,
                             .method = "POST",
                             .headers = settings_.headers,
                             .body = otlp_request(resource, batch_),
                             .timeout = settings_.timeout,
                             .answer_bytes_max = answer_bytes_max,
                             .trust = settings_.trust,
                             .operator_named = true};
  request.headers.push_back({"Content-Type", "application/json"});
  request.headers.push_back({"Accept", "application/json"});
  calling_ = true;
  calls_.start(std::move(request), [this](const net::ClientAnswer& answer) { on_answer(answer); });
}

void Tracing::on_answer(const net::ClientAnswer& answer) {
  calling_ = false;
  wake_();
  if (!is_on()) return drop_all();
  if (answer.success()) return on_taken(answer);
  on_failed(answer, answer.error || is_passing(answer.status));
}

/// It may have refused some of them ("Partial Success").
void Tracing::on_taken(const net::ClientAnswer& answer) {
  json::Document document;
  document.assign(answer.body);
  const std::string_view count =
      document.scalar(json::Path::constant("partialSuccess.rejectedSpans")).text;
  const uint64_t refused =
      std::min<uint64_t>(http::parse_decimal(count).value_or(0), batch_.size());
  exported_ += batch_.size() - refused;
  dropped_refused_ += refused;
  if (refused > 0) {
    const std::string why{
        document.scalar(json::Path::constant("partialSuccess.errorMessage")).text};
    tell("the collector refused " + spans_text(refused) + ": " +
         shortened(why.empty() ? "it did not say why" : why));
  } else if (!problem_.empty()) {
    log_info("tracing: the collector takes spans again");
    problem_.clear();
    told_problem_.clear();
  }
  end_batch();
}

void Tracing::end_batch() {
  batch_.clear();
  failures_ = 0;
  batch_failed_at_.reset();
  oldest_at_ = now_;  // Of what came meanwhile; a little late.
}

void Tracing::on_failed(const net::ClientAnswer& answer, bool passing) {
  // The relay stops.
  if (answer.error && answer.error->code == Errc::cancelled) return;
  tell(told_by(answer));
  if (!passing) {
    dropped_refused_ += batch_.size();
    return end_batch();
  }
  const Duration most =
      std::min<Duration>(pause_min * (int64_t{1} << std::min(failures_++, 10u)), pause_max);
  Duration pause =
      most / 2 +
      Duration{static_cast<int64_t>(random_.below(static_cast<uint64_t>(most.count()) / 2))};
  if (const auto after = http::parse_retry_after(answer.header("retry-after"), wall_now_)) {
    pause = std::max(pause, std::min<Duration>(*after, asked_pause_max));
  }
  not_before_ = now_ + pause;
  if (!batch_failed_at_) batch_failed_at_ = now_;
  if (now_ - *batch_failed_at_ < tried_for_max) return;
  dropped_away_ += batch_.size();
  batch_.clear();
  batch_failed_at_.reset();  // The pauses stay long.
}

/// For people: no more of it than fits a line, and none of our headers, should it repeat them.
std::string Tracing::told_by(const net::ClientAnswer& answer) const {
  const std::string who = "the collector " + settings_.endpoint->authority();
  if (answer.error) return who + ": " + net::describe_tls(*answer.error);
  json::Document document;
  document.assign(answer.body);
  std::string detail{document.scalar(json::Path::constant("message")).text};
  for (const http::Header& header : settings_.headers) replace_all(detail, header.value, "*****");
  detail = shortened(std::move(detail));
  const std::string text = who + " answered " + std::to_string(answer.status);
  return detail.empty() ? text : text + ": " + detail;
}

void Tracing::tell(std::string problem) {
  problem_ = std::move(problem);
  if (told_problem_ == problem_ && now_ - told_at_ < told_again) return;
  told_problem_ = problem_;
  told_at_ = now_;
  log_warning("tracing: " + problem_ +
              "; spans that cannot be sent are dropped, and events are "
              "delivered all the same");
}

TracingStatus Tracing::status() const {
  return {.url = is_on() ? settings_.endpoint->text() : std::string{},
          .queued = queue_.size() + batch_.size(),
          .exported = exported_,
          .dropped_full = dropped_full_,
          .dropped_refused = dropped_refused_,
          .dropped_away = dropped_away_,
          .problem = problem_};
}

}  // namespace ringpost::control
