#include "shard/journal_desk.h"

#include "base/log.h"
#include "index/file_image.h"
#include "index/rebuild.h"
#include "journal/format.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace ringpost::shard {
namespace {

using Progress = journal::SegmentKeeper::Progress;

/// How soon to try again what the disk refused (D-5: within 5 s of space returning).
constexpr Duration retry_interval = std::chrono::seconds(1);

/// How often it is remembered how far a journal is durable. Events that were acknowledged in the
/// last interval before a loss may be taken for an unfinished write.
constexpr Duration note_interval = std::chrono::milliseconds(50);

/// How soon to try again to write an index. Nothing waits for it.
constexpr Duration index_retry_interval = std::chrono::seconds(10);

/// Sealed segments whose records stay in memory while the disk takes no index. Of more, the oldest
/// are read again later.
constexpr size_t unwritten_parts_max = 4;

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
  if (!more) more = index_next(now);
  if (!more) more = group_next();
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

void JournalDesk::take(control::IndexSegment&& order) {
  indexing_.push_back(std::move(order));
}

void JournalDesk::take(control::GroupIds&& order) {
  grouping_.push_back(std::make_unique<index::IdGroupWriter>(
      disk_,
      index::IdGroupKey{options_.journal_directory, options_.directory_id,
                        static_cast<uint16_t>(order.journal), order.last},
      order.segments));
}

void JournalDesk::take(control::ExpireSegments&& order) {
  std::erase_if(grouping_, [&](const auto& task) {
    return task->key().journal == order.journal && task->key().last < order.first_needed;
  });
  std::erase_if(indexing_, [&](const control::IndexSegment& task) {
    return task.journal == order.journal && task.number < order.first_needed;
  });
  uint32_t& first = expiring_[static_cast<uint16_t>(order.journal)];
  first = std::max(first, order.first_needed);
}

std::optional<Instant> JournalDesk::due() const {
  std::optional<Instant> first = indexing_.empty() ? std::nullopt : index_retry_at_;
  for (const auto& due : {retry_at_, note_at_}) {
    if (due) first = std::min(first.value_or(*due), *due);
  }
  return first;
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
    remove_indexes(journal, first_needed);
    expiring_.erase(expiring_.begin());
  }
}

/// One that stays is removed by the next start: nobody reads it any more.
void JournalDesk::remove_indexes(uint16_t journal, uint32_t first_needed) {
  const std::string directory = journal::journal_path(options_.journal_directory, journal);
  const auto names = disk_.list(directory);
  if (!names) return;
  for (const std::string& name : *names) {
    const auto number = journal::parse_index_name(name);
    if (number && *number < first_needed) static_cast<void>(disk_.remove(directory + '/' + name));
  }
}

/// Writes one index: those in memory first, so that they leave it.
/// @returns whether more is waiting to be done now.
bool JournalDesk::index_next(Instant now) {
  if (indexing_.empty() || (index_retry_at_ && now < *index_retry_at_)) return false;
  index_retry_at_.reset();
  auto next = std::ranges::find_if(indexing_, [](const auto& one) { return one.part != nullptr; });
  if (next == indexing_.end()) next = indexing_.begin();
  control::IndexSegment task = std::move(*next);
  indexing_.erase(next);
  const uint32_t journal = task.journal;
  const uint32_t number = task.number;
  const auto made = make_index(task);
  if (made) {
    index_failure_.reset();
    mailroom_.journal_news().send(control::SegmentIndexed{journal, number});
  } else if (task.part != nullptr) {
    postpone(std::move(task), made.error(), now);
  } else {
    log_error("journal " + std::to_string(journal) + ": segment " + std::to_string(number) +
              " cannot be read (" + describe(made.error()) +
              "): its events and deliveries are not shown");
    mailroom_.journal_news().send(control::IndexFailed{journal, number});
  }
  return !indexing_.empty() && !index_retry_at_;
}

/// @returns an error with `task.part`: of writing; without: of reading the segment.
Result<void> JournalDesk::make_index(control::IndexSegment& task) {
  if (task.part == nullptr) {
    auto part = index::read_segment(disk_, options_.journal_directory, options_.directory_id,
                                    static_cast<uint16_t>(task.journal), task.number, true);
    if (!part) return part.error();
    task.part = std::move(*part);
  }
  return index::write_index(disk_, options_.journal_directory, options_.directory_id, *task.part);
}

/// One step of the file of ids that comes next. Nothing waits for it.
/// @returns whether more is waiting to be done now.
bool JournalDesk::group_next() {
  if (grouping_.empty()) return false;
  index::IdGroupWriter& task = *grouping_.front();
  const auto done = task.step();
  if (done && !*done) return true;
  const uint32_t journal = task.key().journal;
  const uint32_t last = task.key().last;
  if (!done && group_failure_ != done.error()) {  // Once, and not with every try.
    log_warning("the file of ids " + task.key().path() +
                " cannot be written: " + describe(done.error()) +
                "; it is tried again later, and until then events are found by their ids more "
                "slowly");
  }
  group_failure_ = done ? std::nullopt : std::optional{done.error()};
  grouping_.pop_front();
  mailroom_.journal_news().send(control::IdsGrouped{journal, last, done.has_value()});
  return !grouping_.empty();
}

void JournalDesk::postpone(control::IndexSegment&& task, const Error& error, Instant now) {
  index_retry_at_ = now + index_retry_interval;
  if (index_failure_ != error) {  // Once, and not with every try.
    log_warning("the index of journal " + std::to_string(task.journal) + ", segment " +
                std::to_string(task.number) + ", cannot be written: " + describe(error) +
                "; it is tried again every 10 seconds, and only the history of events and "
                "deliveries depends on it");
  }
  index_failure_ = error;
  indexing_.push_front(std::move(task));
  auto in_memory =
      std::ranges::count_if(indexing_, [](const auto& one) { return one.part != nullptr; });
  for (control::IndexSegment& oldest : indexing_) {
    if (in_memory <= static_cast<std::ptrdiff_t>(unwritten_parts_max)) break;
    if (oldest.part == nullptr) continue;
    oldest.part.reset();
    --in_memory;
    mailroom_.journal_news().send(control::IndexPostponed{oldest.journal, oldest.number});
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
