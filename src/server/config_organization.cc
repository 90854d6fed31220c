#include "server/config_organization.h"

#include "subscription/token.h"

#include <chrono>
#include <utility>

namespace ringpost::server {
namespace {

constexpr size_t organizations_max = 1000;

void read_organization(Section&& section, const std::string& name, Config& config,
                       Problems& problems) {
  if (!section.present()) return;
  const auto objection = subscription::object_to_organization(name);
  if (!objection.empty()) {
    return problems.add(section.where(),
                        "[organizations] the name \"" + name + "\" " + std::string(objection));
  }
  const toml::node* written = section.node("retention_age");
  if (written == nullptr) {
    problems.add(section.where(), "[organizations." + name + "] needs a retention_age");
  }
  const size_t problems_before = problems.count();
  Duration age{};
  section.duration("retention_age", age, std::chrono::seconds{1}, std::chrono::hours{24 * 3650});
  section.finish();
  if (written == nullptr || problems.count() > problems_before) return;
  if (age > config.retention_age) {
    return section.problem(*written, "retention_age = " + format_duration(age) +
                                         " is longer than journal.retention_age = " +
                                         format_duration(config.retention_age) +
                                         ": an organization's events can only go sooner; raise "
                                         "journal.retention_age, or leave this one out");
  }
  config.organization_ages[name] = age;
}

}  // namespace

void read_organizations(Section& root, Config& config, Problems& problems) {
  Section all = root.table("organizations");
  const std::vector<std::string> names = all.keys();
  if (names.size() > organizations_max) {
    return problems.add(all.where(), "there are more than " + std::to_string(organizations_max) +
                                         " [organizations.NAME] sections");
  }
  for (const std::string& name : names) {
    read_organization(all.table(name), name, config, problems);
  }
}

}  // namespace ringpost::server
