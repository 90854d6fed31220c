#include "journal/segments.h"

#include "journal/block_buffer.h"
#include "journal/format.h"
#include "journal/journal_mark.h"

#include <algorithm>
#include <cstring>

namespace ringpost::journal {
namespace {

constexpr uint32_t fill_step_bytes = 1024 * 1024;
constexpr uint32_t sync_step_bytes = 4 * fill_step_bytes;  // So that no sync takes long.

Result<void> remove_if_there(io::Disk& disk, const std::string& path) {
  auto removed = disk.remove(path);
  if (!removed && removed.error().code == Errc::not_found) return {};
  return removed;
}

}  // namespace

SegmentKeeper::SegmentKeeper(io::Disk& disk, const Options& options)
    : disk_(disk), options_(options) {
  RINGPOST_ASSERT(options.segment_bytes >= segment_bytes_min);
  RINGPOST_ASSERT(options.segment_bytes <= segment_bytes_max);
  RINGPOST_ASSERT(options.segment_bytes % page_bytes == 0);
}

SegmentKeeper::~SegmentKeeper() {
  if (job_ && job_->file.valid()) disk_.close(job_->file);
  if (job_ && job_->named.valid()) disk_.close(job_->named);
  for (const auto& [number, journal] : journals_) {
    if (journal.written.valid()) disk_.close(journal.written);
    for (const auto& [segment, file] : journal.live) {
      if (file.valid()) disk_.close(file);
    }
  }
}

std::string SegmentKeeper::directory(uint16_t journal) const {
  return journal_path(options_.journal_directory, journal);
}

std::string SegmentKeeper::segment_file(uint16_t journal, uint32_t number) const {
  return segment_path(options_.journal_directory, journal, number);
}

std::string SegmentKeeper::unfinished_file(uint16_t journal, uint32_t number) const {
  return directory(journal) + '/' + unfinished_name(number);
}

Result<void> SegmentKeeper::open(const JournalEnd& end) {
  RINGPOST_ASSERT(!journals_.contains(end.journal));
  if (auto made = disk_.make_directory(options_.journal_directory); !made) return made;
  if (auto made = disk_.make_directory(directory(end.journal)); !made) return made;
  const auto names = disk_.list(directory(end.journal));
  if (!names) return names.error();
  Journal journal{.end = end};
  for (const std::string& entry : *names) {
    if (const auto number = parse_segment_name(entry)) {
      const bool unused =
          std::find(end.unused.begin(), end.unused.end(), *number) != end.unused.end();
      if (unused || *number < end.oldest) {
        journal.spares.push_back(*number);
      } else {
        journal.live.emplace(*number, io::File{});
      }
    } else if (const auto unfinished = parse_unfinished_name(entry)) {
      journal.leftovers.push_back(*unfinished);
    }
  }
  // Recovery may have had to guess it.
  if (!journal.live.empty()) journal.end.oldest = journal.live.begin()->first;
  auto marked = write_mark(journal);
  if (!marked) return marked;
  journals_.emplace(end.journal, std::move(journal));
  return {};
}

Result<void> SegmentKeeper::write_mark(const Journal& journal) {
  JournalMark mark{.oldest = journal.end.oldest,
                   .newest = journal.end.previous,
                   .accepted = journal.end.accepted};
  std::erase_if(mark.accepted, [&](uint32_t number) { return number < mark.oldest; });
  return write_journal_mark(disk_, directory(journal.end.journal), journal.end.journal, mark);
}

void SegmentKeeper::want(uint16_t journal) {
  RINGPOST_ASSERT(journals_.contains(journal));
  wants_.push_back(journal);
}

SegmentKeeper::Progress SegmentKeeper::step(WallTime now) {
  if (!job_) {
    if (wants_.empty()) return Progress::idle;
    auto started = start_job();
    return started ? Progress::working : drop_job(started.error());
  }
  if (job_->synced < options_.segment_bytes) {
    auto filled = fill();
    return filled ? Progress::working : drop_job(filled.error());
  }
  if (!job_->named.valid()) {
    auto finished = finish_file(now);
    return finished ? Progress::working : drop_job(finished.error());
  }
  // Once the mark may name the segment, it stays; so only the mark is tried again.
  const std::string path = directory(job_->journal);
  auto handed_out = hand_out();
  if (!handed_out) return failed(handed_out.error(), path);
  return Progress::ready;
}

Result<void> SegmentKeeper::start_job() {
  Journal& journal = journals_.at(wants_.front());
  job_ = Job{};
  job_->journal = wants_.front();
  job_->number = journal.end.next_segment;
  const std::string unfinished = unfinished_file(job_->journal, job_->number);
  const auto reused = reuse_file(journal, unfinished);
  if (!reused) return reused.error();
  if (*reused) return {};

  const auto free = disk_.free_bytes(directory(job_->journal));
  if (!free) return free.error();
  if (*free < options_.segment_bytes + options_.free_bytes_min) {
    return Error{Errc::out_of_space, Side::disk};
  }
  if (auto removed = remove_if_there(disk_, unfinished); !removed) return removed;
  const auto file = disk_.open(unfinished, io::Disk::OpenMode::create);
  if (!file) return file.error();
  job_->file = *file;
  return {};
}

/// Looks for a file of the right size that nobody needs: all its blocks are written on the disk
/// already, so overwriting them is quick, and cannot fail for want of space.
Result<bool> SegmentKeeper::reuse_file(Journal& journal, const std::string& unfinished) {
  while (!journal.leftovers.empty() || !journal.spares.empty()) {
    const bool leftover = !journal.leftovers.empty();
    auto& pool = leftover ? journal.leftovers : journal.spares;
    const std::string path = leftover ? unfinished_file(job_->journal, pool.back())
                                      : segment_file(job_->journal, pool.back());
    pool.pop_back();
    if (path != unfinished) {
      if (auto removed = remove_if_there(disk_, unfinished); !removed) return removed.error();
      if (auto renamed = disk_.rename(path, unfinished); !renamed) return renamed.error();
      // Before its header says so: else a crash leaves a header under another segment's name.
      const auto synced = disk_.sync_directory(directory(job_->journal));
      if (!synced) return synced.error();
    }
    const auto file = disk_.open(unfinished, io::Disk::OpenMode::read_write);
    if (!file) return file.error();
    const auto size = disk_.size(*file);
    if (size && *size == options_.segment_bytes) {
      job_->file = *file;
      job_->filled = job_->synced = options_.segment_bytes;
      job_->reused = true;
      return true;
    }
    disk_.close(*file);  // Another size: half filled, or the setting was changed.
    if (!size) return size.error();
  }
  return false;
}

Result<void> SegmentKeeper::fill() {
  if (job_->filled == options_.segment_bytes || job_->filled - job_->synced >= sync_step_bytes) {
    auto synced = disk_.sync(job_->file);
    if (synced) job_->synced = job_->filled;
    return synced;
  }
  static const std::vector<std::byte> zeros(fill_step_bytes);
  const uint64_t size = std::min<uint64_t>(zeros.size(), options_.segment_bytes - job_->filled);
  auto written = disk_.write_at(job_->file, job_->filled, Bytes{zeros}.first(size));
  if (written) job_->filled += size;
  return written;
}

Result<void> SegmentKeeper::finish_file(WallTime now) {
  if (auto written = write_header(journals_.at(job_->journal), now); !written) return written;
  if (auto synced = disk_.sync(job_->file); !synced) return synced;
  const std::string path = segment_file(job_->journal, job_->number);
  auto renamed = disk_.rename(unfinished_file(job_->journal, job_->number), path);
  if (!renamed) return renamed;
  auto named = name_file();
  if (!named) journals_.at(job_->journal).spares.push_back(job_->number);
  return named;
}

/// Makes the segment's name durable, and opens it for its shard.
Result<void> SegmentKeeper::name_file() {
  if (auto synced = disk_.sync_directory(directory(job_->journal)); !synced) return synced;
  bool direct = false;
  const auto file = disk_.open_journal(segment_file(job_->journal, job_->number), direct);
  if (!file) return file.error();
  direct_ = direct;
  job_->named = *file;
  return {};
}

Result<void> SegmentKeeper::hand_out() {
  Journal& journal = journals_.at(job_->journal);
  // The next one follows this one, which will have sealed itself by then.
  Journal marked{.end = journal.end};
  marked.end.previous = job_->number;
  marked.end.previous_kind = PreviousEnd::sealed;
  marked.end.previous_end = 0;
  marked.end.next_segment = job_->number + 1;
  if (auto written = write_mark(marked); !written) return written;
  journal.end = std::move(marked.end);
  journal.live[job_->number] = job_->named;
  ready_.push_back({job_->journal, {job_->named, job_->number, options_.segment_bytes}});
  disk_.close(job_->file);
  job_.reset();
  wants_.pop_front();
  // What cannot be removed now is tried again with the next one.
  return drop_spares(journal);
}

Result<void> SegmentKeeper::write_header(const Journal& journal, WallTime now) {
  BlockBuffer page(page_bytes);
  const MutableBytes bytes{page.data(), page_bytes};
  write_segment_header({.journal = job_->journal,
                        .segment = job_->number,
                        .size = options_.segment_bytes,
                        .directory_id = options_.directory_id,
                        .created_at = now,
                        .previous = journal.end.previous,
                        .previous_kind = journal.end.previous_kind,
                        .previous_end = journal.end.previous_end},
                       bytes);
  return disk_.write_at(job_->file, 0, bytes);
}

/// Gives up the segment that was being prepared. What a new file held of a full disk goes back. A
/// reused one stays where it is; the next attempt replaces it, because what failed to be synced is
/// not trusted again.
SegmentKeeper::Progress SegmentKeeper::drop_job(const Error& error) {
  const std::string path = unfinished_file(job_->journal, job_->number);
  const bool is_new = job_->file.valid() && !job_->reused;
  if (job_->file.valid()) disk_.close(job_->file);
  job_.reset();
  if (is_new) {
    if (auto removed = remove_if_there(disk_, path); !removed) return failed(removed.error(), path);
  }
  return failed(error, path);
}

SegmentKeeper::Progress SegmentKeeper::failed(const Error& error, std::string path) {
  error_ = error;
  error_path_ = std::move(path);
  return error.code == Errc::out_of_space ? Progress::no_space : Progress::failed;
}

std::optional<SegmentKeeper::Ready> SegmentKeeper::take() {
  if (ready_.empty()) return std::nullopt;
  Ready ready = ready_.front();
  ready_.pop_front();
  return ready;
}

void SegmentKeeper::sealed(uint16_t journal, uint32_t number) {
  io::File& file = journals_.at(journal).live.at(number);
  if (file.valid()) disk_.close(file);
  file = {};
}

Result<void> SegmentKeeper::open_written(Journal& journal) {
  if (journal.written.valid()) return {};
  const std::string path = directory(journal.end.journal) + '/' + written_name;
  auto file = disk_.open(path, io::Disk::OpenMode::read_write);
  if (!file && file.error().code == Errc::not_found) {
    file = disk_.open(path, io::Disk::OpenMode::create);
  }
  if (!file) return file.error();
  journal.written = *file;
  return {};
}

Result<void> SegmentKeeper::note_written(uint16_t journal, const Written& written) {
  Journal& noted = journals_.at(journal);
  if (auto opened = open_written(noted); !opened) return opened;
  return disk_.write_at(noted.written, 0, as_bytes(written_text(journal, written)));
}

Result<void> SegmentKeeper::expire(uint16_t journal_number, uint32_t first_needed) {
  Journal& journal = journals_.at(journal_number);
  uint32_t first = journal.end.oldest;
  for (const auto& [number, file] : journal.live) {
    if (number >= first_needed || file.valid()) break;
    first = number + 1;
  }
  if (first == journal.end.oldest) return {};
  Journal marked = journal;
  marked.end.oldest = first;
  if (auto written = write_mark(marked); !written) return written;
  journal = std::move(marked);
  while (!journal.live.empty() && journal.live.begin()->first < first) {
    journal.spares.push_back(journal.live.begin()->first);
    journal.live.erase(journal.live.begin());
  }
  return drop_spares(journal);
}

/// Removes files that nobody will reuse. Not before the first segment of this run is there: they
/// may be the last space on a full disk.
Result<void> SegmentKeeper::drop_spares(Journal& journal) {
  const bool prepared = journal.end.previous_kind == PreviousEnd::sealed;
  while (prepared && journal.spares.size() > options_.spares_max) {
    const uint32_t number = journal.spares.front();
    auto removed = remove_if_there(disk_, segment_file(journal.end.journal, number));
    if (!removed) return removed;
    journal.spares.erase(journal.spares.begin());
  }
  return {};
}

std::vector<SegmentKeeper::Segment> SegmentKeeper::segments(uint16_t journal) const {
  std::vector<Segment> segments;
  for (const auto& [number, file] : journals_.at(journal).live) {
    segments.push_back({number, file.valid()});
  }
  return segments;
}

}  // namespace ringpost::journal
