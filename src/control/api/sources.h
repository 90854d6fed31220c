#pragma once

#include "control/api/api.h"
#include "control/git_source_registry.h"

#include <cstddef>

namespace ringpost::control {

inline constexpr size_t sources_per_organization_max = 1'000;
inline constexpr size_t triggers_per_pipeline_max = 10;  ///< As at Buildkite.

/// The operations of the management API on git sources (src/incoming). Blocks on the store.
///
/// A source makes events of one app, of one pipeline, or of any repository. A token that is
/// restricted to sources manages those whose events it may touch: the latter only if `repository/*`
/// is among its own.
class SourceApi {
 public:
  SourceApi(GitSourceRegistry& registry, Prng& random) : registry_(registry), random_(random) {}

  /// The answer has the secret, this once.
  Answer create(const Call& call);
  Answer list(const Call& call);
  Answer show(const Call& call);
  Answer update(const Call& call);
  Answer remove(const Call& call);
  /// The body may name the new secret, and how long the old one stays valid. The answer has it.
  Answer rotate_secret(const Call& call);

 private:
  const subscription::GitSource* find(const Call& call) const;
  size_t count_triggers(std::string_view organization, std::string_view pipeline) const;
  Answer store(const Call& call, subscription::GitSource source, std::string_view operation,
               std::vector<std::string> members);

  GitSourceRegistry& registry_;
  Prng& random_;
};

}  // namespace ringpost::control
