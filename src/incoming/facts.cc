#include "incoming/facts.h"

#include "base/utf8.h"
#include "http/syntax.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ringpost::incoming {
namespace {

constexpr std::string_view heads = "refs/heads/";
constexpr std::string_view tags = "refs/tags/";
constexpr size_t line_bytes_max = 250;

/// Hosts write "no commit" as 40 zeros, or as 64 where repositories use SHA-256.
bool is_commit(std::string_view id) {
  return id.find_first_not_of('0') != std::string_view::npos;
}

// GitHub's words where it has them; the others' are put into these.
constexpr std::array<std::pair<std::string_view, std::string_view>, 12> actions{{
    {"open", "opened"},
    {"close", "closed"},
    {"reopen", "reopened"},
    {"merge", "merged"},
    {"fulfilled", "merged"},
    {"rejected", "closed"},
    {"declined", "closed"},
    {"synchronize", "synchronized"},
    {"from_ref_updated", "synchronized"},
    {"modified", "edited"},
    {"create", "created"},
    {"added", "created"},
}};

}  // namespace

void set_ref(Facts& facts, std::string_view ref) {
  facts.ref = facts.subject = ref;
  facts.type = push_type;
  if (ref.starts_with(heads)) facts.branch = ref.substr(heads.size());
  if (!ref.starts_with(tags)) return;
  facts.type = tag_type;
  facts.tag = ref.substr(tags.size());
}

void set_move(Facts& facts, std::string_view before, std::string_view after) {
  if (is_commit(before)) facts.before = before;
  if (is_commit(after)) facts.commit = after;
  facts.action = facts.commit.empty() ? "deleted" : facts.before.empty() ? "created" : "updated";
}

std::string_view shared_action(std::string_view host_action) {
  const auto found =
      std::ranges::find(actions, host_action, [](const auto& row) { return row.first; });
  return found == actions.end() ? host_action : found->second;
}

std::string first_line(std::string_view text) {
  text = text.substr(0, text.find_first_of("\r\n"));
  size_t size = 0;
  while (size < text.size()) {
    const size_t next = std::max<size_t>(utf8_sequence_size(text.substr(size)), 1);
    if (size + next > line_bytes_max) break;
    size += next;
  }
  return std::string{http::trim(text.substr(0, size))};
}

std::string other_type(std::string_view event) {
  std::string type = "git.";
  for (const char byte : event) {
    const char lower = http::to_lower(byte);
    const bool plain = (lower >= 'a' && lower <= 'z') || http::is_digit(lower);
    type += plain ? lower : '_';
  }
  return type;
}

}  // namespace ringpost::incoming
