#include "control/stored_journals.h"

#include "control/begun_journals.h"
#include "control/retention.h"

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <utility>

namespace ringpost::control {
namespace {

Result<std::optional<uint64_t>> read_directory_id(const ReadMeta& meta) {
  const auto text = meta(directory_id_name);
  if (!text) return text.error();
  if (!*text) return std::optional<uint64_t>{};
  uint64_t id = 0;
  const char* end = (*text)->data() + (*text)->size();
  const auto [stopped, error] = std::from_chars((*text)->data(), end, id, 16);
  if (error != std::errc{} || stopped != end) return Error{Errc::corrupt, Side::disk};
  return std::optional{id};
}

}  // namespace

Result<StoredJournals> read_stored_journals(const ReadMeta& meta) {
  const auto id = read_directory_id(meta);
  if (!id) return id.error();
  const auto begun = read_begun_journals(meta);
  if (!begun) return begun.error();
  const auto marks = read_settled_marks(meta);
  if (!marks) return marks.error();
  StoredJournals stored{.directory_id = *id, .begun = {}, .settled = *marks};
  for (const auto& [journal, oldest] : *begun) {
    const uint32_t settled = journal < marks->size() ? (*marks)[journal] : 0;
    stored.begun.push_back({.journal = static_cast<uint16_t>(journal),
                            .oldest = oldest,
                            .used = std::max(settled, oldest)});
  }
  return stored;
}

Result<std::optional<StoredJournals>> read_stored_journals(const std::string& path,
                                                           std::string& problem) {
  const auto facts = StoreFacts::open(path, problem);
  if (!facts) {
    if (facts.error().code == Errc::not_found) return std::optional<StoredJournals>{};
    return facts.error();
  }
  auto stored = read_stored_journals([&](std::string_view name) { return (*facts)->meta(name); });
  if (stored) return std::optional{std::move(*stored)};
  problem = path + ": what it says of the journals cannot be used: " + describe(stored.error());
  return stored.error();
}

std::string directory_id_text(uint64_t id) {
  char text[17];
  std::snprintf(text, sizeof text, "%016" PRIx64, id);
  return text;
}

std::string unknown_journals(const std::string& journal_directory) {
  return journal_directory +
         " holds journals, but the control store beside it is new: put control.db back, or move "
         "the journals away";
}

}  // namespace ringpost::control
