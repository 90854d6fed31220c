#pragma once

#include "base/json_writer.h"
#include "control/api/api.h"
#include "control/gap_filler.h"
#include "control/git_links.h"
#include "control/git_source_registry.h"
#include "control/registrations.h"
#include "control/visible_history.h"

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
  /// All borrowed; they outlive it.
  struct Parts {
    GitSourceRegistry& sources;
    GitLinks& links;
    Registrations& registrations;
    const GapFiller& gaps;
    const VisibleHistory& history;
    Prng& random;
  };

  explicit SourceApi(const Parts& parts) : parts_(parts) {}

  /// The answer has the secret, this once.
  Answer create(const Call& call);
  Answer list(const Call& call);
  Answer show(const Call& call);
  Answer update(const Call& call);
  Answer remove(const Call& call);
  /// The body may name the new secret, and how long the old one stays valid. The answer has it.
  Answer rotate_secret(const Call& call);
  /// Makes its webhook at the git host.
  Answer register_at_host(const Call& call, Instant now);
  /// What did not come from the host.
  Answer gaps(const Call& call);

 private:
  const subscription::GitSource* find(const Call& call) const;
  size_t count_triggers(std::string_view organization, std::string_view pipeline) const;
  Answer store(const Call& call, subscription::GitSource source, std::string_view operation,
               std::vector<std::string> members);
  void write(JsonWriter& json, const Call& call, const subscription::GitSource& source,
             bool with_secret) const;
  std::string registration_json(uint32_t source) const;
  void write_git(JsonWriter& json, const Call& call, const subscription::GitSource& source) const;
  std::vector<const GitGap*> visible_gaps(const Call& call,
                                          const subscription::GitSource& source) const;
  std::string to_json(const Call& call, const subscription::GitSource& source,
                      bool with_secret) const;

  const Parts parts_;
};

}  // namespace ringpost::control
