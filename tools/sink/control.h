#pragma once

#include "io/ring.h"

#include <unordered_set>

namespace ringpost::sink {

class Endpoints;
class ControlConnection;

/// Serves the report, and a page that shows it live, over plain HTTP. For a loopback address: there
/// is no login, so requests that name another host (a page of a foreign site whose name was bound
/// to loopback) are refused.
class Control {
 public:
  /// Takes over the listener. @param endpoints  lives longer.
  Control(io::Ring& ring, io::Socket listener, const Endpoints& endpoints);

  void stop();

 private:
  friend class ControlConnection;

  void on_accept(const io::Outcome& outcome);

  io::Ring& ring_;
  const Endpoints& endpoints_;
  io::Completion accepting_;
  std::unordered_set<ControlConnection*> connections_;
};

}  // namespace ringpost::sink
