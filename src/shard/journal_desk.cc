#include "shard/journal_desk.h"

#include "base/log.h"
#include "journal/format.h"

#include <algorithm>
#include <utility>

namespace ringpost::shard {
namespace {

using Progress = journal::SegmentKeeper::Progress;

/// How soon to try again what the disk refused (D-5: within 5 s of space returning).
constexpr Duration retry_interval = std::chrono::seconds(1);

/// How often it is remembered how far a journal is durable. Events that were acknowledged in the
/// last interval before a loss may be taken for an unfinished write.
constexpr Duration note_interval = std::chrono::milliseconds(50);

}  // namespace

JournalDesk::JournalDesk(io::Disk& disk, journal::SegmentKeeper& keeper, Mailroom& mailroom,
                         const Options& options)
    : disk_(disk), keeper_(keeper), mailroom_(mailroom), options_(options) {}

bool JournalDesk::turn(WallTime wall_now, Instant now) {
  open_files();
  take_orders();
  note_written(now);
  bool more = false;
  if (!retry_at_ || now >= *retry_at_) {
    retry_at_.reset();
    expire(now);
    more = prepare(wall_now, now);
  }
  flush();
  return more;
}

bool JournalDesk::has_messages() {
  if (!mailroom_.journal_orders().empty()) return true;
  for (uint32_t shard = 0; shard < mailroom_.shard_count(); ++shard) {
    if (!mailroom_.file_orders(shard).empty()) return true;
    if (mailroom_.files_opened(shard).behind()) return true;
  }
  return mailroom_.journal_news().behind();
}

void JournalDesk::open_files() {
  FileOrder order;
  for (uint32_t shard = 0; shard < mailroom_.shard_count(); ++shard) {
    while (mailroom_.file_orders(shard).receive(order)) open(shard, order);
  }
}

void JournalDesk::open(uint32_t shard, const FileOrder& order) {
  if (order.unused.valid()) return disk_.close(order.unused);
  FileOpened answer{.journal = order.journal, .segment = order.segment};
  const auto file =
      journal::open_segment(disk_, options_.journal_directory, order.journal, order.segment);
  if (file) {
    answer.file = *file;
  } else {
    answer.error = file.error();
  }
  mailroom_.files_opened(shard).send(std::move(answer));
}

void JournalDesk::close_files() {
  FileOrder order;
  FileOpened opened;
  for (uint32_t shard = 0; shard < mailroom_.shard_count(); ++shard) {
    mailroom_.file_orders(shard).flush();
    mailroom_.files_opened(shard).flush();
    while (mailroom_.file_orders(shard).receive(order)) {
      if (order.unused.valid()) disk_.close(order.unused);
    }
    while (mailroom_.files_opened(shard).receive(opened)) {
      if (opened.file.valid()) disk_.close(opened.file);
    }
  }
}

void JournalDesk::take_orders() {
  control::JournalOrder order;
  while (mailroom_.journal_orders().receive(order)) {
    std::visit([this](auto&& content) { take(std::forward<decltype(content)>(content)); },
               std::move(order));
  }
}

void JournalDesk::take(control::PrepareSegment&& order) {
  keeper_.want(static_cast<uint16_t>(order.journal));
}

void JournalDesk::take(control::CloseSegment&& order) {
  keeper_.sealed(static_cast<uint16_t>(order.journal), order.number);
}

void JournalDesk::take(control::ExpireSegments&& order) {
  uint32_t& first = expiring_[static_cast<uint16_t>(order.journal)];
  first = std::max(first, order.first_needed);
}

std::optional<Instant> JournalDesk::due() const {
  if (!retry_at_ || !note_at_) return retry_at_ ? retry_at_ : note_at_;
  return std::min(*retry_at_, *note_at_);
}

/// The first write after a rest is remembered at once, those that follow it from time to time.
void JournalDesk::note_written(Instant now) {
  if (note_at_ && now < *note_at_) return;
  note_at_.reset();
  for (uint32_t shard = 0; shard < mailroom_.shard_count(); ++shard) {
    const auto written = mailroom_.written(shard).take();
    if (!written) continue;
    note_at_ = now + note_interval;
    const auto noted = keeper_.note_written(static_cast<uint16_t>(shard), *written);
    if (!noted && note_failure_ != noted.error()) {
      log_warning("journal/" + journal::journal_name(static_cast<uint16_t>(shard)) +
                  "/written cannot be written: " + describe(noted.error()) +
                  "; if the journal's end is lost later, that may not be noticed");
    }
    note_failure_ = noted ? std::nullopt : std::optional{noted.error()};
  }
}

void JournalDesk::expire(Instant now) {
  while (!expiring_.empty()) {
    const auto& [journal, first_needed] = *expiring_.begin();
    const auto expired = keeper_.expire(journal, first_needed);
    if (!expired) return fail("expired journal segments cannot be removed", expired.error(), now);
    expiring_.erase(expiring_.begin());
  }
}

bool JournalDesk::prepare(WallTime wall_now, Instant now) {
  const Progress progress = keeper_.step(wall_now);
  if (progress == Progress::idle) return false;
  if (progress == Progress::no_space || progress == Progress::failed) {
    const Error error =
        progress == Progress::no_space ? Error{Errc::out_of_space, Side::disk} : keeper_.error();
    mailroom_.journal_news().send(control::PreparingFailed{error});
    fail("no journal segment can be prepared", error, now);
  }
  while (const auto ready = keeper_.take()) {
    failure_.reset();
    mailroom_.journal_news().send(control::SegmentPrepared{ready->journal, ready->segment});
  }
  return !retry_at_;
}

void JournalDesk::fail(const char* what, const Error& error, Instant now) {
  retry_at_ = now + retry_interval;
  if (failure_ != error) {  // Once, and not with every try.
    log_error(std::string(what) + ": " + describe(error) + " (" + keeper_.path() + ")");
  }
  failure_ = error;
}

void JournalDesk::flush() {
  for (uint32_t shard = 0; shard < mailroom_.shard_count(); ++shard) {
    if (mailroom_.files_opened(shard).flush()) mailroom_.wake_shard(shard);
  }
  if (mailroom_.journal_news().flush()) mailroom_.wake_control();
}

}  // namespace ringpost::shard
