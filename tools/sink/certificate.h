#pragma once

#include "sink/scenario.h"

#include <memory>
#include <string>

namespace ringpost::sink {

/// A CA made for this run: a receiver for trying things out needs no preparation. Ends the process
/// if the library fails.
class Authority {
 public:
  Authority();
  ~Authority();

  /// What the sender has to trust.
  std::string ca_pem() const;

  struct Identity {
    std::string certificate_pem;
    std::string key_pem;
  };
  /// For 127.0.0.1, ::1, localhost and every NAME.sink.localhost; in force from yesterday for 30
  /// days, unless the kind says otherwise.
  Identity issue(CertificateKind kind) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ringpost::sink
