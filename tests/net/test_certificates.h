#pragma once

#include <openssl/nid.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ringpost::testing {

/// A leaf or root certificate to be made, good unless told otherwise: P-256, valid for a day.
struct CertificateOptions {
  enum class Key : uint8_t { p256, rsa2048, rsa1024 };

  std::string common_name = "ringpost test";
  std::vector<std::string> dns_names;     ///< subjectAltName, in their order; may hold wildcards.
  std::vector<std::string> ip_addresses;  ///< Likewise.
  int64_t now = 0;                        ///< Unix seconds; 0 for the system's clock.
  int64_t valid_from_seconds = -3600;     ///< From `now`.
  int64_t valid_until_seconds = 86'400;   ///< From `now`.
  int purpose = NID_server_auth;          ///< 0: no such extension.
  Key key = Key::p256;
  bool sha1 = false;  ///< Signed over SHA-1.
};

/// A certificate (with the chain that a server sends) and its key.
struct TestIdentity {
  std::string certificate_pem;  ///< Leaf first.
  std::string key_pem;
};

/// A certificate authority made on the spot. Ends the process if the library fails.
class TestAuthority {
 public:
  /// A root.
  explicit TestAuthority(const std::string& name = "ringpost test root", int64_t now = 0);
  TestAuthority(TestAuthority&&) noexcept;
  ~TestAuthority();

  const std::string& certificate_pem() const;
  TestIdentity issue(const CertificateOptions& options) const;
  /// The chains that it issues hold its own certificate, not this one's.
  TestAuthority intermediate(const std::string& name) const;

 private:
  struct State;
  explicit TestAuthority(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A certificate that vouches for itself.
TestIdentity make_self_signed(const CertificateOptions& options);

}  // namespace ringpost::testing
