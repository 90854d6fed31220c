#include "control/git_links.h"

#include "control/store/store.h"

#include <algorithm>
#include <utility>

namespace ringpost::control {

Result<void> GitLinks::load() {
  auto loaded = store_.git_links().load(
      [this](GitLink&& link) { links_.emplace(link.source, std::move(link)); });
  if (!loaded) return loaded;
  return store_.git_links().load_gaps(
      [this](GitGap&& gap) { gaps_[gap.source].push_back(std::move(gap)); });
}

const GitLink* GitLinks::find(uint32_t source) const {
  const auto found = links_.find(source);
  return found == links_.end() ? nullptr : &found->second;
}

Result<void> GitLinks::put(GitLink link) {
  if (auto stored = store_.git_links().put(link); !stored) return stored;
  links_[link.source] = std::move(link);
  ++version_;
  return {};
}

Result<void> GitLinks::remove(uint32_t source) {
  if (auto removed = store_.git_links().remove(source); !removed) return removed;
  links_.erase(source);
  gaps_.erase(source);
  ++version_;
  return {};
}

std::vector<const GitGap*> GitLinks::gaps(uint32_t source) const {
  std::vector<const GitGap*> found;
  const auto gaps = gaps_.find(source);
  if (gaps == gaps_.end()) return found;
  for (const GitGap& gap : gaps->second) found.push_back(&gap);
  std::ranges::reverse(found);
  return found;
}

const GitGap* GitLinks::find_gap(uint32_t source, std::string_view delivery) const {
  const auto gaps = gaps_.find(source);
  if (gaps == gaps_.end()) return nullptr;
  const auto found = std::ranges::find(gaps->second, delivery, &GitGap::delivery);
  return found == gaps->second.end() ? nullptr : &*found;
}

const GitGap* GitLinks::oldest_open(uint32_t source) const {
  const auto gaps = gaps_.find(source);
  if (gaps == gaps_.end()) return nullptr;
  const auto found = std::ranges::find(gaps->second, GapState::open, &GitGap::state);
  return found == gaps->second.end() ? nullptr : &*found;
}

bool GitLinks::has_room(uint32_t source) const {
  const auto gaps = gaps_.find(source);
  if (gaps == gaps_.end() || gaps->second.size() < gaps_max) return true;
  return std::ranges::any_of(gaps->second, [](const GitGap& gap) { return is_over(gap.state); });
}

Result<void> GitLinks::put_gap(GitGap gap) {
  Gaps& gaps = gaps_[gap.source];
  const auto known = std::ranges::find(gaps, gap.delivery, &GitGap::delivery);
  if (known == gaps.end() && gaps.size() >= gaps_max) {
    const auto over =
        std::ranges::find_if(gaps, [](const GitGap& each) { return is_over(each.state); });
    if (over == gaps.end()) return Error{Errc::overloaded, Side::self};
    auto removed = store_.git_links().remove_gap(gap.source, over->delivery);
    if (!removed) return removed;
    gaps.erase(over);
  }
  if (auto stored = store_.git_links().put_gap(gap); !stored) return stored;
  const auto place = std::ranges::find(gaps, gap.delivery, &GitGap::delivery);
  if (place == gaps.end()) {
    gaps.push_back(std::move(gap));
  } else {
    *place = std::move(gap);
  }
  return {};
}

std::optional<githost::Repository> repository_of(const subscription::GitSource& source,
                                                 const GitLink& link) {
  auto read = githost::read_repository(source.host, link.url);
  auto* repository = std::get_if<githost::Repository>(&read);
  if (repository == nullptr) return std::nullopt;
  repository->token = link.token;
  return std::move(*repository);
}

}  // namespace ringpost::control
