#include "control/begun_journals.h"

#include "journal/position.h"

#include <charconv>
#include <utility>

namespace ringpost::control {
namespace {

constexpr std::string_view meta_name = "journals_begun";

/// Takes a number off the front of `text`.
std::optional<uint32_t> take_number(std::string_view& text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

}  // namespace

Result<void> BegunJournals::load() {
  auto oldest = read_begun_journals([this](std::string_view name) { return store_.meta(name); });
  if (!oldest) return oldest.error();
  oldest_ = std::move(*oldest);
  return {};
}

Result<void> BegunJournals::replace(Oldest oldest) {
  if (oldest == oldest_) return {};
  if (auto stored = store_.set_meta(meta_name, to_text(oldest)); !stored) return stored;
  oldest_ = std::move(oldest);
  return {};
}

Result<void> BegunJournals::expire(uint32_t journal, uint32_t oldest) {
  if (!oldest_.contains(journal)) return {};
  Oldest next = oldest_;
  next[journal] = oldest;
  return replace(std::move(next));
}

Result<BegunJournals::Oldest> read_begun_journals(const ReadMeta& meta) {
  const auto text = meta(meta_name);
  if (!text) return text.error();
  if (!*text) return BegunJournals::Oldest{};  // A new store, or one of a release without it.
  auto oldest = parse_begun_journals(**text);
  if (!oldest) return Error{Errc::corrupt, Side::disk};
  return std::move(*oldest);
}

std::string to_text(const BegunJournals::Oldest& oldest) {
  std::string text;
  for (const auto& [journal, segment] : oldest) {
    if (!text.empty()) text += ',';
    text += std::to_string(journal) + ':' + std::to_string(segment);
  }
  return text;
}

std::optional<BegunJournals::Oldest> parse_begun_journals(std::string_view text) {
  BegunJournals::Oldest oldest;
  const std::string_view whole = text;
  while (!text.empty()) {
    const auto journal = take_number(text);
    if (!journal || *journal >= journal::Position::journals_max || !text.starts_with(':')) {
      return std::nullopt;
    }
    text.remove_prefix(1);
    const auto segment = take_number(text);
    if (!segment || *segment == 0) return std::nullopt;
    oldest[*journal] = *segment;
    if (text.starts_with(',')) text.remove_prefix(1);
  }
  return to_text(oldest) == whole ? std::optional{std::move(oldest)} : std::nullopt;
}

}  // namespace ringpost::control
