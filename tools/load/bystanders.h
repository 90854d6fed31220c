#pragma once

#include <span>
#include <string>
#include <vector>

namespace ringpost::load {

/// An active webhook that the relay had before the run, as far as it decides where events go.
struct Bystander {
  std::string id;
  std::string url;
  std::vector<std::string> sources;
  std::vector<std::string> events;
};

/// What the events of a run are called: examples, where they vary.
struct EventNames {
  std::vector<std::string> types;
  std::vector<std::string> sources;
};

/// Why a run may not begin: a webhook of the relay would take its events to a host that is neither
/// this machine nor in `owned_hosts`. Empty: none would.
std::string object_to_bystanders(std::span<const Bystander> bystanders, const EventNames& names,
                                 std::span<const std::string> owned_hosts);

}  // namespace ringpost::load
