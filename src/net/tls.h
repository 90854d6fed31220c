#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "base/tls_session.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace ringpost::net {

/// What outbound connections trust whose webhook names no CA: the system's roots and, beside them,
/// those of an operator's file. Read and made ready when the first of them is opened.
///
/// Thread safety: any thread.
class CommonRoots {
 public:
  /// @param ca_pem  empty: the system's roots alone.
  /// Errc::malformed if it is not empty and holds no certificate, or one that cannot be read.
  static Result<std::shared_ptr<CommonRoots>> create(std::string ca_pem);
  ~CommonRoots();

  const std::string& ca_pem() const;

  struct State;
  State& state() { return *state_; }

 private:
  explicit CommonRoots(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// What an outbound TLS connection trusts and how it is made: one per endpoint key, shared by its
/// connections. Keeps the newest session tickets for resumption (at most 4, used once each), and
/// which key exchange the endpoint chose.
///
/// Used on one shard, and lives longer than every stream that connects with it.
class ClientTls {
 public:
  struct Options {
    bool verify = true;  ///< Chain and host name. Off only where a webhook says so.
    std::string ca_pem;  ///< The one thing to trust; empty: the common roots.
    /// Borrowed for the call; null: the system's roots alone.
    CommonRoots* roots = nullptr;
    /// What a server that asks is shown: leaf first, then its chain; and its key. Both or neither.
    std::string certificate_pem;
    std::string key_pem;
  };
  /// The first call without `ca_pem` reads the system's roots (some milliseconds, once for each
  /// CommonRoots).
  /// Errc::malformed if `ca_pem` holds no certificate or one that cannot be read; Errc::not_found
  /// with Side::operator_ if the system has no roots. Errc::malformed also if certificate and key
  /// are unreadable or do not belong together.
  static Result<std::unique_ptr<ClientTls>> create(const Options& options);
  ~ClientTls();

  /// Whether it remembers an endpoint: a ticket, or the group it chose.
  bool remembers() const;

  struct State;
  State& state() { return *state_; }

 private:
  explicit ClientTls(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A certificate with its key, for listeners. Never changes; a reload makes another one.
class ServerTls {
 public:
  enum class Versions : uint8_t { both, only_1_2, only_1_3 };

  /// @param certificate_pem  leaf first, then its chain.
  /// @param versions         both, but for receivers that test how senders take only one.
  /// Errc::malformed if either is unreadable or they do not belong together.
  static Result<std::unique_ptr<ServerTls>> create(const std::string& certificate_pem,
                                                   const std::string& key_pem,
                                                   Versions versions = Versions::both);
  ~ServerTls();

  struct State;
  State& state() { return *state_; }

 private:
  explicit ServerTls(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Whether the first certificate of the text is one, and its time has begun and not ended.
bool certificate_in_force(const std::string& certificate_pem);

/// When the first certificate of the text expires; nothing if it is none.
std::optional<WallTime> certificate_expires_at(const std::string& certificate_pem);

/// What the numbers of a session mean, as IANA names them: "TLSv1.3",
/// "TLS_AES_128_GCM_SHA256", "X25519MLKEM768". A number that is not known is shown as "0x1234".
std::string tls_version_name(uint16_t version);
std::string tls_cipher_name(uint16_t cipher);
std::string tls_group_name(uint16_t group);

/// The reason of a failed connection in words ("certificate expired"), with what to do
/// where that is known. For Errc::tls_failed, Errc::certificate_invalid and the errors of
/// ClientTls::create; `describe` for all others.
std::string describe_tls(const Error& error);

}  // namespace ringpost::net
