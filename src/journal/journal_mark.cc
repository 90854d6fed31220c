#include "journal/journal_mark.h"

#include "base/crc32c.h"
#include "journal/format.h"

#include <array>
#include <charconv>

namespace ringpost::journal {

std::string journal_mark_text(uint16_t journal, const JournalMark& mark) {
  std::string text =
      "ringpost journal " + journal_name(journal) + " oldest " + std::to_string(mark.oldest);
  if (mark.newest) text += " newest " + std::to_string(*mark.newest);
  text += " accepted";
  for (const uint32_t number : mark.accepted) text += ' ' + std::to_string(number);
  return text + " check " + std::to_string(crc32c(0, as_bytes(text))) + "\n";
}

namespace {

constexpr size_t mark_bytes_max = 64 * 1024;

/// The number behind `word`, which `text` loses with it. 0 if that is not there.
uint32_t take_number(std::string_view& text, std::string_view word) {
  uint32_t number = 0;
  if (!text.starts_with(word)) return 0;
  const auto [end, error] =
      std::from_chars(text.data() + word.size(), text.data() + text.size(), number);
  if (error != std::errc{}) return 0;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

/// Takes the numbers out, then demands the very text that we would write for them.
std::optional<JournalMark> parse_mark(std::string_view whole, uint16_t journal) {
  std::string_view text = whole;
  const std::string begin = "ringpost journal " + journal_name(journal);
  if (!text.starts_with(begin)) return std::nullopt;
  text.remove_prefix(begin.size());
  JournalMark mark;
  mark.oldest = take_number(text, " oldest ");
  constexpr std::string_view newest = " newest ";
  if (text.starts_with(newest)) mark.newest = take_number(text, newest);
  constexpr std::string_view accepted = " accepted";
  if (mark.oldest == 0 || !text.starts_with(accepted)) return std::nullopt;
  text.remove_prefix(accepted.size());
  while (const uint32_t number = take_number(text, " ")) {
    if (mark.accepted.size() == accepted_losses_max) return std::nullopt;
    mark.accepted.push_back(number);
  }
  return journal_mark_text(journal, mark) == whole ? std::optional{mark} : std::nullopt;
}

std::optional<Written> parse_written(std::string_view whole, uint16_t journal) {
  whole = whole.substr(0, whole.find('\n') + 1);
  std::string_view text = whole;
  const std::string begin = "ringpost journal " + journal_name(journal);
  if (!text.starts_with(begin)) return std::nullopt;
  text.remove_prefix(begin.size());
  Written written;
  written.segment = take_number(text, " written ");
  written.end = take_number(text, " end ");
  written.certain = take_number(text, " certain ");
  return written_text(journal, written) == whole ? std::optional{written} : std::nullopt;
}

}  // namespace

std::string written_text(uint16_t journal, const Written& written) {
  const std::string text = "ringpost journal " + journal_name(journal) + " written " +
                           std::to_string(written.segment) + " end " + std::to_string(written.end) +
                           " certain " + std::to_string(written.certain);
  return text + " check " + std::to_string(crc32c(0, as_bytes(text))) + "\n";
}

Result<std::optional<Written>> read_written(io::Disk& disk, const std::string& directory,
                                            uint16_t journal, bool sync) {
  const auto file = disk.open(directory + '/' + written_name,
                              sync ? io::Disk::OpenMode::read_write : io::Disk::OpenMode::read);
  if (!file && file.error().code == Errc::not_found) return std::optional<Written>{};
  if (!file) return file.error();
  std::array<std::byte, 256> bytes{};
  const auto synced = sync ? disk.sync(*file) : Result<void>{};
  const auto read = disk.read_at(*file, 0, bytes);
  disk.close(*file);
  if (!synced) return synced.error();
  if (!read) return read.error();
  return parse_written(as_text(Bytes{bytes}.first(static_cast<size_t>(*read))), journal);
}

Result<std::optional<JournalMark>> read_journal_mark(io::Disk& disk, const std::string& directory,
                                                     uint16_t journal) {
  const auto file = disk.open(directory + '/' + journal_mark_name, io::Disk::OpenMode::read);
  if (!file) {
    if (file.error().code == Errc::not_found) return std::optional<JournalMark>{};
    return file.error();
  }
  std::vector<std::byte> bytes(mark_bytes_max);
  const auto read = disk.read_at(*file, 0, bytes);
  disk.close(*file);
  if (!read) return read.error();
  return parse_mark(as_text({bytes.data(), static_cast<size_t>(*read)}), journal);
}

Result<void> write_journal_mark(io::Disk& disk, const std::string& directory, uint16_t journal,
                                const JournalMark& mark) {
  if (mark.accepted.size() > accepted_losses_max) return Error{Errc::too_large, Side::operator_};
  const std::string path = directory + '/' + journal_mark_name;
  const std::string draft = path + ".new";
  if (auto removed = disk.remove(draft); !removed && removed.error().code != Errc::not_found) {
    return removed;
  }
  const auto file = disk.open(draft, io::Disk::OpenMode::create);
  if (!file) return file.error();
  auto done = disk.write_at(*file, 0, as_bytes(journal_mark_text(journal, mark)));
  if (done) done = disk.sync(*file);
  disk.close(*file);
  if (done) done = disk.rename(draft, path);
  if (done) done = disk.sync_directory(directory);
  return done;
}

}  // namespace ringpost::journal
