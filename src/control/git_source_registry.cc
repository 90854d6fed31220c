#include "control/git_source_registry.h"

#include "control/store/store.h"
#include "crypto/base64.h"
#include "crypto/random.h"

#include <array>
#include <iterator>

namespace ringpost::control {

using subscription::GitSource;

std::string new_git_secret() {
  std::array<std::byte, 32> bytes;
  crypto::fill(bytes);
  return "whsec_" + crypto::base64_encode(bytes);
}

Result<void> GitSourceRegistry::load() {
  return store_.load_git_sources([this](GitSource&& source) { put(std::move(source)); });
}

const GitSource* GitSourceRegistry::put(GitSource source) {
  table_.put_git_source(source);
  GitSource& kept = sources_[Key{source.organization, source.id.as_uuid()}];
  kept = std::move(source);
  by_number_[kept.number] = &kept;
  ++version_;
  return &kept;
}

Result<const GitSource*> GitSourceRegistry::create(GitSource source) {
  if (auto stored = store_.insert_git_source(source); !stored) return stored.error();
  return put(std::move(source));
}

Result<const GitSource*> GitSourceRegistry::update(GitSource source) {
  if (auto stored = store_.update_git_source(source); !stored) return stored.error();
  return put(std::move(source));
}

Result<void> GitSourceRegistry::remove(const GitSource& source) {
  if (auto removed = store_.delete_git_source(source.number); !removed) return removed;
  table_.remove_git_source(source.number);
  by_number_.erase(source.number);
  ++version_;
  sources_.erase(Key{source.organization, source.id.as_uuid()});  // `source` goes with it.
  return {};
}

const GitSource* GitSourceRegistry::find(std::string_view organization, const Ulid& id) const {
  const auto found = sources_.find(Key{organization, id.as_uuid()});
  return found == sources_.end() ? nullptr : &found->second;
}

const GitSource* GitSourceRegistry::find_number(uint32_t number) const {
  const auto found = by_number_.find(number);
  return found == by_number_.end() ? nullptr : found->second;
}

GitSourceRegistry::Sources::const_iterator GitSourceRegistry::begin_of(
    std::string_view organization) const {
  return sources_.lower_bound(Key{organization, Ulid{}});
}

std::vector<const GitSource*> GitSourceRegistry::list(
    std::string_view organization, const std::optional<Ulid>& before, size_t count,
    const std::function<bool(const GitSource&)>& wanted) const {
  std::vector<const GitSource*> found;
  const auto begin = begin_of(organization);
  auto place = before ? sources_.lower_bound(Key{organization, before->as_uuid()})
                      : std::next(begin, static_cast<std::ptrdiff_t>(this->count(organization)));
  while (found.size() < count && place != begin) {
    const GitSource& source = (--place)->second;
    if (wanted(source)) found.push_back(&source);
  }
  return found;
}

size_t GitSourceRegistry::count(std::string_view organization) const {
  size_t count = 0;
  for (auto place = begin_of(organization);
       place != sources_.end() && place->first.first == organization; ++place) {
    ++count;
  }
  return count;
}

}  // namespace ringpost::control
