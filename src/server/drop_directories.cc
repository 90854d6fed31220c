#include "server/drop_directories.h"

#include <utility>

namespace ringpost::server {

DropDirectories::DropDirectories(const std::vector<SourceConfig>& sources, shard::Relay& relay)
    : relay_(relay) {
  for (const SourceConfig& source : sources) {
    const auto number = static_cast<uint16_t>(directories_.size());
    const uint32_t shard = number % relay.shard_count();
    directories_.push_back(std::make_unique<DropDirectory>(
        number, source,
        DropDirectory::Parts{.offer =
                                 [&relay, shard](shard::FileOffered&& file) {
                                   relay.mailroom().files_offered(shard).send(std::move(file));
                                 },
                             .file_bytes_max = [&relay] { return relay.batch_bytes_max(); }}));
  }
}

bool DropDirectories::turn(Instant now) {
  shard::FileSettled settled;
  for (uint32_t shard = 0; shard < relay_.shard_count(); ++shard) {
    while (relay_.mailroom().files_settled(shard).receive(settled)) {
      directories_[settled.directory]->on_settled(settled, now);
    }
  }
  for (const auto& directory : directories_) directory->turn(now);
  bool behind = false;
  for (uint32_t shard = 0; shard < relay_.shard_count(); ++shard) {
    auto& offered = relay_.mailroom().files_offered(shard);
    if (offered.flush()) relay_.mailroom().wake_shard(shard);
    behind |= offered.behind();
  }
  return behind;
}

bool DropDirectories::has_messages() {
  for (uint32_t shard = 0; shard < relay_.shard_count(); ++shard) {
    if (!relay_.mailroom().files_settled(shard).empty()) return true;
  }
  return false;
}

std::optional<Instant> DropDirectories::due() const {
  std::optional<Instant> first;
  for (const auto& directory : directories_) {
    const auto due = directory->due();
    if (due && (!first || *due < *first)) first = due;
  }
  return first;
}

std::vector<int> DropDirectories::descriptors() const {
  std::vector<int> fds;
  for (const auto& directory : directories_) fds.push_back(directory->descriptor());
  return fds;
}

}  // namespace ringpost::server
