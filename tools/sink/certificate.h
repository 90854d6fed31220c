#pragma once

#include <string>

namespace ringpost::sink {

struct Certificates {
  std::string ca_pem;    ///< What the sender has to trust.
  std::string leaf_pem;  ///< For 127.0.0.1, ::1 and localhost; signed by the CA.
  std::string key_pem;
};

/// Makes a CA and a certificate for loopback, in force from yesterday for 30 days: a receiver for
/// trying things out needs no preparation. Ends the process if the library fails.
Certificates make_certificates();

}  // namespace ringpost::sink
