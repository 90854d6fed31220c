#include "backup/backup.h"

#include "backup/copy.h"
#include "backup/manifest.h"
#include "base/bytes.h"
#include "control/store/store.h"
#include "control/stored_journals.h"
#include "io/read_file.h"
#include "journal/format.h"
#include "journal/journal_mark.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

namespace ringpost::backup {
namespace {

/// Why something went wrong, for people.
struct Failure {
  std::string problem;
};

Failure fail(const std::string& path, const Error& error) {
  return {path + ": " + describe(error)};
}

Failure something_else(const std::string& directory, const std::string& name) {
  return {directory + " holds something else (" + name +
          "); give an empty directory, or one with a backup"};
}

/// Whether a backup, or one that was cut off, may have a file of this name.
bool is_own_name(std::string_view name) {
  return name.starts_with("journal-") || name.starts_with("control.db.");
}

/// Whether `path` is `directory`, or in it.
bool is_within(const std::string& path, const std::string& directory) {
  std::error_code ignored;
  const auto inner = std::filesystem::weakly_canonical(path, ignored);
  const auto outer = std::filesystem::weakly_canonical(directory, ignored);
  const auto [rest, end] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return rest == outer.end();
}

/// The backup in `directory`. An empty manifest: there is none yet, and nothing else either.
std::variant<Manifest, Failure> read_manifest(io::Disk& disk, const std::string& directory) {
  const std::string path = directory + "/" + manifest_name;
  const auto text = io::read_file(path);
  if (text) {
    std::string problem;
    auto manifest = parse_manifest(*text, problem);
    if (!manifest) return Failure{path + " " + problem};
    return *std::move(manifest);
  }
  if (text.error().code != Errc::not_found) return fail(path, text.error());
  const auto names = disk.list(directory);
  if (!names) return fail(directory, names.error());
  for (const std::string& name : *names) {
    const bool of_ours =
        name == files_name || name == "lock" || name == std::string{manifest_name} + draft_suffix;
    if (of_ours) continue;  // Of a first run that was cut off.
    return something_else(directory, name);
  }
  return Manifest{};
}

class Backup {
 public:
  Backup(io::Disk& disk, const std::string& data_dir, const std::string& directory)
      : disk_(disk),
        data_dir_(data_dir),
        directory_(directory),
        files_directory_(directory + "/" + files_name) {}

  ~Backup() {
    if (lock_) disk_.close(*lock_);
  }
  Backup(const Backup&) = delete;
  Backup& operator=(const Backup&) = delete;

  std::optional<Failure> run(WallTime now) {
    if (auto failure = open()) return failure;
    manifest_.directory_id = directory_id_;
    manifest_.number = before_.number + 1;
    manifest_.began_at = now;
    if (auto failure = copy_journals()) return failure;
    // Last: it knows of every webhook that an event in the journals goes to.
    if (auto failure = copy_store()) return failure;
    if (auto failure = finish()) return failure;
    return remove_what_is_left();
  }

  const BackupReport& report() const { return report_; }

 private:
  std::optional<Failure> open() {
    std::string problem;
    const auto stored = control::read_stored_journals(store_path(), problem);
    if (!stored) return Failure{problem};
    if (!*stored || !(*stored)->directory_id) {
      return Failure{data_dir_ +
                     " has no relay's data; give the data directory of a relay (--data-dir)"};
    }
    directory_id_ = *(*stored)->directory_id;
    if (is_within(directory_, data_dir_)) {
      return Failure{directory_ +
                     " is in the data directory; give another place, best on another disk"};
    }
    if (auto made = disk_.make_directory(directory_); !made) return fail(directory_, made.error());
    const auto lock = disk_.lock(directory_ + "/lock");
    if (!lock && lock.error().code == Errc::locked) {
      return Failure{"another backup into " + directory_ + " is running"};
    }
    if (!lock) return fail(directory_ + "/lock", lock.error());
    lock_ = *lock;
    auto manifest = read_manifest(disk_, directory_);
    if (auto* failure = std::get_if<Failure>(&manifest)) return *failure;
    before_ = std::get<Manifest>(std::move(manifest));
    if (auto failure = open_files_directory()) return failure;
    if (before_.number > 0 && before_.directory_id != directory_id_) {
      return Failure{directory_ + " holds the backup of another data directory"};
    }
    for (const ManifestFile& file : before_.files) {
      if (file.final) kept_.emplace(file.path, file);
    }
    return std::nullopt;
  }

  /// What no backup has made there is left alone, and nothing of it is removed.
  std::optional<Failure> open_files_directory() {
    std::error_code ignored;
    if (std::filesystem::is_symlink(files_directory_, ignored)) {
      return Failure{files_directory_ + " is a symbolic link; give a real directory"};
    }
    if (auto made = disk_.make_directory(files_directory_); !made) {
      return fail(files_directory_, made.error());
    }
    const auto names = disk_.list(files_directory_);
    if (!names) return fail(files_directory_, names.error());
    for (const std::string& name : *names) {
      if (!is_own_name(name)) return something_else(files_directory_, name);
    }
    return std::nullopt;
  }

  std::string store_path() const { return data_dir_ + "/" + store_name; }

  std::string stored_path(const ManifestFile& file) const {
    return files_directory_ + "/" + file.stored;
  }

  /// What a file is called in the backup: a file that may change gets another name each time, so
  /// that the backup before stays whole.
  ManifestFile entry(const std::string& path, bool final) const {
    ManifestFile file{.path = path, .stored = path, .final = final};
    std::ranges::replace(file.stored, '/', '-');
    if (!final) file.stored += "." + std::to_string(manifest_.number);
    return file;
  }

  void add(ManifestFile file, const Copied& copied) {
    file.size = copied.size;
    file.crc = copied.crc;
    ++report_.files_copied;
    report_.bytes_copied += copied.written;
    manifest_.files.push_back(std::move(file));
  }

  /// Whether a file that never changes is there from the time before, and sound.
  bool keep(const std::string& path) {
    const auto found = kept_.find(path);
    if (found == kept_.end()) return false;
    const ManifestFile& kept = found->second;
    const auto there = examine_file(disk_, stored_path(kept));
    if (!there || there->size != kept.size || there->crc != kept.crc) return false;
    manifest_.files.push_back(kept);
    return true;
  }

  // --- journals ---

  std::optional<Failure> copy_journals() {
    const std::string path = data_dir_ + "/journal";
    const auto names = disk_.list(path);
    if (!names) return fail(path, names.error());
    for (const std::string& name : *names) {
      const auto journal = journal::parse_journal_name(name);
      if (!journal) continue;
      if (auto failure = copy_journal(*journal)) return failure;
      journals_.insert(*journal);
    }
    return std::nullopt;
  }

  /// A journal grows at its end and loses segments at its beginning while it is copied. Its marks
  /// say what must be there: the end that they knew before, the beginning that they know after.
  std::optional<Failure> copy_journal(uint16_t journal) {
    const std::string path = journal::journal_path(data_dir_ + "/journal", journal);
    const auto written = journal::read_written(disk_, path, journal, false);
    if (!written) return fail(path + "/" + journal::written_name, written.error());
    const auto before = read_mark(path, journal);
    if (auto* failure = std::get_if<Failure>(&before)) return *failure;
    const auto& mark = std::get<journal::JournalMark>(before);
    std::vector<uint32_t> vanished;
    if (auto failure = copy_segments(journal, mark, vanished)) return failure;
    const auto after = read_mark(path, journal);
    if (auto* failure = std::get_if<Failure>(&after)) return *failure;
    journal::JournalMark now = std::get<journal::JournalMark>(after);
    now.newest = mark.newest;
    for (const uint32_t segment : vanished) {
      if (segment < now.oldest) continue;
      return fail(journal::segment_path(data_dir_ + "/journal", journal, segment),
                  Error{Errc::not_found, Side::disk});
    }
    drop_expired(journal, now.oldest);
    return write_marks(journal, now, *written);
  }

  std::variant<journal::JournalMark, Failure> read_mark(const std::string& path, uint16_t journal) {
    const auto mark = journal::read_journal_mark(disk_, path, journal);
    const std::string mark_path = path + "/" + journal::journal_mark_name;
    if (!mark) return fail(mark_path, mark.error());
    if (!*mark || !(*mark)->newest) {
      return Failure{mark_path + " is missing or damaged; start and stop the relay once"};
    }
    return **mark;
  }

  static std::string relative(uint16_t journal, const std::string& name) {
    return "journal/" + journal::journal_name(journal) + "/" + name;
  }

  /// The newest first: a copy of one that is not full yet lacks what is written later, and must not
  /// stand before a copy of the next one that already has something.
  std::optional<Failure> copy_segments(uint16_t journal, const journal::JournalMark& mark,
                                       std::vector<uint32_t>& vanished) {
    const std::string path = journal::journal_path(data_dir_ + "/journal", journal);
    const auto names = disk_.list(path);
    if (!names) return fail(path, names.error());
    std::vector<uint32_t> segments;
    for (const std::string& name : *names) {
      const auto segment = journal::parse_segment_name(name);
      if (!segment || *segment < mark.oldest || *segment > *mark.newest) continue;
      segments.push_back(*segment);
    }
    std::ranges::sort(segments, std::greater{});
    for (const uint32_t segment : segments) {
      if (auto failure = copy_segment(journal, segment, vanished)) return failure;
    }
    return std::nullopt;
  }

  std::optional<Failure> copy_segment(uint16_t journal, uint32_t segment,
                                      std::vector<uint32_t>& vanished) {
    const std::string path = relative(journal, journal::segment_name(segment));
    const std::string from = data_dir_ + "/" + path;
    const auto sealed = is_sealed(from);
    if (!sealed && sealed.error().code == Errc::not_found) {
      vanished.push_back(segment);
      return std::nullopt;
    }
    if (!sealed) return fail(from, sealed.error());
    if (!*sealed || !keep(path)) {
      ManifestFile file = entry(path, *sealed);
      const auto copied = copy_file(disk_, from, stored_path(file), Zeros::leave_holes);
      if (!copied && copied.error().code != Errc::not_found) {
        return fail(stored_path(file), copied.error());
      }
      // An expired segment's file is filled anew, under another name.
      if (!copied || is_gone(from)) {
        vanished.push_back(segment);
        return std::nullopt;
      }
      // If it was sealed meanwhile, the copy may have half of its last page.
      const auto sealed_now = is_sealed(from);
      if (!*sealed && sealed_now && *sealed_now) return copy_segment(journal, segment, vanished);
      add(std::move(file), *copied);
    }
    return *sealed ? copy_index(journal, segment) : std::nullopt;
  }

  bool is_gone(const std::string& path) {
    const auto file = disk_.open(path, io::Disk::OpenMode::read);
    if (file) disk_.close(*file);
    return !file && file.error().code == Errc::not_found;
  }

  /// Whether the segment is full: then it never changes any more.
  Result<bool> is_sealed(const std::string& path) {
    const auto file = disk_.open(path, io::Disk::OpenMode::read);
    if (!file) return file.error();
    const auto sealed = has_footer(*file);
    disk_.close(*file);
    return sealed;
  }

  Result<bool> has_footer(io::File file) {
    std::vector<std::byte> page(journal::page_bytes);
    if (const auto read = disk_.read_at(file, 0, page); !read) return read.error();
    const auto header = journal::read_segment_header(page);
    if (!header) return header.error();
    const uint32_t offset = header->size - journal::page_bytes;
    const auto read = disk_.read_at(file, offset, page);
    if (!read) return read.error();
    if (*read < page.size()) return Error{Errc::corrupt, Side::disk};
    const journal::Generation generation(header->directory_id, header->journal, header->segment);
    return journal::read_segment_footer(generation, offset, page).has_value();
  }

  /// What is missing of the index is made again.
  std::optional<Failure> copy_index(uint16_t journal, uint32_t segment) {
    const std::string path = relative(journal, journal::index_name(segment));
    if (keep(path)) return std::nullopt;
    ManifestFile file = entry(path, true);
    const auto copied = copy_file(disk_, data_dir_ + "/" + path, stored_path(file), Zeros::write);
    if (!copied && copied.error().code == Errc::not_found) return std::nullopt;
    if (!copied) return fail(stored_path(file), copied.error());
    add(std::move(file), *copied);
    return std::nullopt;
  }

  void drop_expired(uint16_t journal, uint32_t oldest) {
    std::erase_if(manifest_.files, [&](const ManifestFile& file) {
      const std::string begin = relative(journal, "");
      if (!file.path.starts_with(begin)) return false;
      const std::string name = file.path.substr(begin.size());
      const auto segment = journal::parse_segment_name(name);
      return (segment ? *segment : journal::parse_index_name(name).value_or(oldest)) < oldest;
    });
  }

  std::optional<Failure> write_marks(uint16_t journal, const journal::JournalMark& mark,
                                     const std::optional<journal::Written>& written) {
    const auto write = [&](const char* name, const std::string& text) -> std::optional<Failure> {
      ManifestFile file = entry(relative(journal, name), false);
      const auto copied = write_file(disk_, text, stored_path(file));
      if (!copied) return fail(stored_path(file), copied.error());
      add(std::move(file), *copied);
      return std::nullopt;
    };
    if (written) {
      if (auto failure = write(journal::written_name, written_text(journal, *written))) {
        return failure;
      }
    }
    return write(journal::journal_mark_name, journal_mark_text(journal, mark));
  }

  // --- the store and the end ---

  std::optional<Failure> copy_store() {
    ManifestFile file = entry(store_name, false);
    const std::string path = stored_path(file);
    if (auto removed = remove_file(disk_, path); !removed) return fail(path, removed.error());
    // An empty file that nobody else may read: SQLite would make one as the umask says.
    const auto empty = disk_.open(path, io::Disk::OpenMode::create);
    if (!empty) return fail(path, empty.error());
    disk_.close(*empty);
    std::string problem;
    const auto facts = control::StoreFacts::open(store_path(), problem);
    if (!facts) return Failure{problem};
    if (!(*facts)->copy_to(path, problem)) return Failure{problem};
    if (auto failure = check_journals(path)) return failure;
    const auto made = disk_.open(path, io::Disk::OpenMode::read_write);
    if (!made) return fail(path, made.error());
    const auto synced = disk_.sync(*made);
    disk_.close(*made);
    if (!synced) return fail(path, synced.error());
    auto copied = examine_file(disk_, path);
    if (!copied) return fail(path, copied.error());
    copied->written = copied->size;
    add(std::move(file), *copied);
    return std::nullopt;
  }

  /// The relay may have begun another journal meanwhile.
  std::optional<Failure> check_journals(const std::string& store) {
    std::string problem;
    const auto stored = control::read_stored_journals(store, problem);
    if (!stored) return Failure{problem};
    const bool all = *stored && std::ranges::all_of((*stored)->begun, [&](const auto& begun) {
      return journals_.contains(begun.journal);
    });
    if (all) return std::nullopt;
    return Failure{"the relay was started with more shards meanwhile; run the backup again"};
  }

  std::optional<Failure> finish() {
    const auto synced = disk_.sync_directory(files_directory_);
    if (!synced) return fail(files_directory_, synced.error());
    const std::string path = directory_ + "/" + manifest_name;
    const auto written = write_file(disk_, to_json(manifest_), path);
    if (!written) return fail(path, written.error());
    if (auto done = disk_.sync_directory(directory_); !done) return fail(directory_, done.error());
    report_.number = manifest_.number;
    report_.files = manifest_.files.size();
    for (const ManifestFile& file : manifest_.files) report_.bytes += file.size;
    return std::nullopt;
  }

  /// What no manifest names: of the backup before, or of a run that was cut off.
  std::optional<Failure> remove_what_is_left() {
    std::set<std::string> needed;
    for (const ManifestFile& file : manifest_.files) needed.insert(file.stored);
    const auto names = disk_.list(files_directory_);
    if (!names) return fail(files_directory_, names.error());
    for (const std::string& name : *names) {
      if (needed.contains(name)) continue;
      const std::string path = files_directory_ + "/" + name;
      if (auto removed = remove_file(disk_, path); !removed) return fail(path, removed.error());
      ++report_.files_removed;
    }
    return std::nullopt;
  }

  io::Disk& disk_;
  const std::string data_dir_;
  const std::string directory_;
  const std::string files_directory_;
  std::optional<io::File> lock_;
  uint64_t directory_id_ = 0;
  Manifest before_;
  std::map<std::string, ManifestFile> kept_;  ///< Of `before_`, by path: what never changes.
  Manifest manifest_;
  std::set<uint16_t> journals_;
  BackupReport report_;
};

}  // namespace

std::optional<BackupReport> make_backup(io::Disk& disk, const std::string& data_dir,
                                        const std::string& directory, WallTime now,
                                        std::string& problem) {
  Backup backup(disk, data_dir, directory);
  if (auto failure = backup.run(now)) {
    problem = failure->problem;
    return std::nullopt;
  }
  return backup.report();
}

// --- restore -------------------------------------------------------------------------------------

namespace {

std::optional<Failure> prepare(io::Disk& disk, const Manifest& manifest,
                               const std::string& data_dir) {
  if (auto made = disk.make_directory(data_dir); !made) return fail(data_dir, made.error());
  const auto names = disk.list(data_dir);
  if (!names) return fail(data_dir, names.error());
  if (!names->empty()) return Failure{data_dir + " is not empty; give a new directory"};
  uint64_t bytes = 0;
  std::set<std::string> directories{"journal"};
  for (const ManifestFile& file : manifest.files) {
    bytes += file.size;
    if (const size_t slash = file.path.rfind('/'); slash != std::string::npos) {
      directories.insert(file.path.substr(0, slash));
    }
  }
  const auto room = disk.free_bytes(data_dir);
  if (!room) return fail(data_dir, room.error());
  if (*room < bytes) {
    return Failure{data_dir + ": the disk has " + std::to_string(*room) +
                   " free bytes, the backup needs " + std::to_string(bytes)};
  }
  for (const std::string& name : directories) {
    const std::string path = data_dir + "/" + name;
    if (auto made = disk.make_directory(path); !made) return fail(path, made.error());
  }
  return std::nullopt;
}

std::optional<Failure> restore_file(io::Disk& disk, const std::string& directory,
                                    const ManifestFile& file, const std::string& data_dir) {
  const std::string from = directory + "/" + files_name + "/" + file.stored;
  const std::string to = data_dir + "/" + file.path;
  const auto copied = copy_file(disk, from, to, Zeros::write);
  if (!copied) return fail(copied.error().code == Errc::not_found ? from : to, copied.error());
  if (copied->size != file.size || copied->crc != file.crc) {
    return Failure{from + " is damaged: it is not what was backed up. " + data_dir +
                   " is incomplete; remove it and restore another backup"};
  }
  return std::nullopt;
}

std::optional<Failure> restore(io::Disk& disk, const std::string& directory,
                               const Manifest& manifest, const std::string& data_dir) {
  if (auto failure = prepare(disk, manifest, data_dir)) return failure;
  for (const bool is_store : {false, true}) {
    std::set<std::string> changed;
    for (const ManifestFile& file : manifest.files) {
      if ((file.path == store_name) != is_store) continue;
      if (auto failure = restore_file(disk, directory, file, data_dir)) return failure;
      const size_t slash = file.path.rfind('/');
      changed.insert(slash == std::string::npos ? data_dir
                                                : data_dir + "/" + file.path.substr(0, slash));
    }
    for (const std::string& path : changed) {
      if (auto synced = disk.sync_directory(path); !synced) return fail(path, synced.error());
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<RestoreReport> restore_backup(io::Disk& disk, const std::string& directory,
                                            const std::string& data_dir, std::string& problem) {
  auto read = read_manifest(disk, directory);
  auto* failure = std::get_if<Failure>(&read);
  if (failure != nullptr || std::get<Manifest>(read).number == 0) {
    problem = failure != nullptr ? failure->problem : directory + " holds no backup";
    return std::nullopt;
  }
  const Manifest& manifest = std::get<Manifest>(read);
  if (auto failed = restore(disk, directory, manifest, data_dir)) {
    problem = failed->problem;
    return std::nullopt;
  }
  RestoreReport report{.files = manifest.files.size(), .began_at = manifest.began_at};
  for (const ManifestFile& file : manifest.files) report.bytes += file.size;
  return report;
}

}  // namespace ringpost::backup
