#include "net/tls_engine.h"

#include "net/tls_context.h"
#include "net/tls_error.h"
#include "net/tls_library.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/nid.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <limits>
#include <sys/time.h>

namespace ringpost::net {
namespace {

/// RSA keys below 2,048 bits and SHA-1 or MD5 signatures: forged by whoever pays for it.
bool too_weak(X509* certificate) {
  const bssl::UniquePtr<EVP_PKEY> key{X509_get_pubkey(certificate)};
  if (key == nullptr) return true;
  if (EVP_PKEY_id(key.get()) == EVP_PKEY_RSA && EVP_PKEY_bits(key.get()) < 2048) return true;
  switch (X509_get_signature_nid(certificate)) {
    case NID_md5WithRSAEncryption:
    case NID_sha1WithRSAEncryption:
    case NID_ecdsa_with_SHA1:
      // A root's signature on itself proves nothing, so its hash does not matter.
      return X509_check_issued(certificate, certificate) != X509_V_OK;
    default: return false;
  }
}

/// The library calls a certificate self-signed only if it might sign; a server's own usually may
/// not, and "unknown issuer" would send people looking for an intermediate.
bool names_itself_as_issuer(X509* certificate) {
  return X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
}

TlsEngine& engine_of(BIO* bio) {
  return *static_cast<TlsEngine*>(BIO_get_data(bio));
}

}  // namespace

// --- making one ----------------------------------------------------------------------------------

TlsEngine::TlsEngine(SSL_CTX* context, ClientTls::State* client, WallTime now)
    : ssl_(SSL_new(context)), client_(client), now_(now) {
  RINGPOST_ASSERT(ssl_ != nullptr);
  BIO* const bio = BIO_new(method());
  RINGPOST_ASSERT(bio != nullptr);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);             // Takes the one reference for both directions.
  SSL_set_shed_handshake_config(ssl_.get(), 1);  // An idle connection does not need it.
  enforce_key_usage(ssl_.get());
}

TlsEngine::~TlsEngine() = default;

Result<std::unique_ptr<TlsEngine>> TlsEngine::for_client(ClientTls& tls,
                                                         const std::string& server_name,
                                                         WallTime now) {
  ClientTls::State& state = tls.state();
  std::unique_ptr<TlsEngine> engine{new TlsEngine{state.context.get(), &state, now}};
  SSL_set_connect_state(engine->ssl_.get());
  const auto named = engine->expect_name(server_name);
  ERR_clear_error();
  if (!named) return named.error();
  if (const auto session = state.take_session(engine->server_name_, now)) {
    SSL_set_session(engine->ssl_.get(), session.get());
  }
  if (const uint16_t group = state.group_for(engine->server_name_, now)) {
    RINGPOST_ASSERT(share_only(engine->ssl_.get(), group));  // One of those that we offer.
  }
  return engine;
}

std::unique_ptr<TlsEngine> TlsEngine::for_server(ServerTls& tls, WallTime now) {
  std::unique_ptr<TlsEngine> engine{new TlsEngine{tls.state().context.get(), nullptr, now}};
  SSL_set_accept_state(engine->ssl_.get());
  return engine;
}

Result<void> TlsEngine::expect_name(const std::string& server_name) {
  const Error malformed{Errc::malformed, Side::endpoint};
  SSL* const ssl = ssl_.get();
  X509_VERIFY_PARAM* const param = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_time(param, to_unix_seconds(now_));
  server_name_ = server_name;

  std::array<uint8_t, sizeof(in6_addr)> ip;
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, server_name.c_str(), ip.data()) != 1) continue;
    const size_t size = family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
    if (X509_VERIFY_PARAM_set1_ip(param, ip.data(), size) != 1) return malformed;
    return {};  // RFC 6066, 3: addresses are not sent as SNI.
  }
  if (server_name_.ends_with('.')) server_name_.pop_back();  // RFC 6066, 3: without it.
  if (server_name_.empty()) return malformed;
  // A certificate's common name is not looked at (RFC 9110, 4.3.4), its alternative names are.
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  const bool taken =
      X509_VERIFY_PARAM_set1_host(param, server_name_.data(), server_name_.size()) == 1 &&
      SSL_set_tlsext_host_name(ssl, server_name_.c_str()) == 1;
  if (!taken) return malformed;
  return {};
}

// --- moving bytes --------------------------------------------------------------------------------

void TlsEngine::lend(Bytes input, WallTime now) {
  RINGPOST_ASSERT(input_.empty());
  input_ = input;
  now_ = now;
}

Bytes TlsEngine::take_rest() {
  return std::exchange(input_, {});
}

TlsEngine::Progress TlsEngine::handshake(std::string& out) {
  out_ = &out;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  const Progress progress = after(result);
  out_ = nullptr;
  if (client_ == nullptr) return progress;
  // What the peer chokes on must not spoil the next connection too.
  if (progress == Progress::failed) client_->forget_endpoint();
  if (progress == Progress::done) client_->keep_group(server_name_, session().group, now_);
  return progress;
}

TlsEngine::Progress TlsEngine::read(MutableBytes into, size_t& size, std::string& out) {
  out_ = &out;
  ERR_clear_error();
  const int result = SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size()));
  const Progress progress = after(result);
  out_ = nullptr;
  size = progress == Progress::done ? static_cast<size_t>(result) : 0;
  return progress;
}

TlsSession TlsEngine::session() const {
  const SSL* const ssl = ssl_.get();
  const SSL_CIPHER* const cipher = SSL_get_current_cipher(ssl);
  if (SSL_in_init(ssl) != 0 || cipher == nullptr) return {};
  return {.version = static_cast<uint16_t>(SSL_version(ssl)),
          .cipher = SSL_CIPHER_get_protocol_id(cipher),
          .group = group_of(ssl),
          .resumed = SSL_session_reused(ssl) != 0};
}

bool TlsEngine::write(Bytes plain, std::string& out) {
  constexpr size_t record_size = SSL3_RT_MAX_PLAIN_LENGTH;
  constexpr size_t record_overhead = 64;  // At least what any cipher of ours adds.
  out.reserve(out.size() + plain.size() + (plain.size() / record_size + 1) * record_overhead);
  out_ = &out;
  ERR_clear_error();
  bool sealed = true;
  while (sealed && !plain.empty()) {
    const size_t size = std::min<size_t>(plain.size(), std::numeric_limits<int>::max());
    const int result = SSL_write(ssl_.get(), plain.data(), static_cast<int>(size));
    sealed = after(result) == Progress::done;
    if (sealed) plain = plain.subspan(static_cast<size_t>(result));
  }
  out_ = nullptr;
  return sealed;
}

void TlsEngine::write_close_notice(std::string& out) {
  out_ = &out;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());  // Nothing to do about a failure: the stream ends either way.
  out_ = nullptr;
}

/// What a call's result means. Writing never waits, so the only thing to wait for is input.
TlsEngine::Progress TlsEngine::after(int result) {
  if (result > 0) return Progress::done;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ: return Progress::wants_bytes;
    case SSL_ERROR_ZERO_RETURN: return Progress::ended;
    default: break;
  }
  error_ = tls_error(ssl_.get(), client_ != nullptr ? Side::endpoint : Side::producer);
  return Progress::failed;
}

const BIO_METHOD* TlsEngine::method() {
  static const BIO_METHOD* const shared = [] {
    BIO_METHOD* const made = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "ringpost");
    RINGPOST_ASSERT(made != nullptr);
    BIO_meth_set_read(made, read_input);
    BIO_meth_set_write(made, write_output);
    BIO_meth_set_ctrl(made, [](BIO*, int command, long, void*) -> long {
      return command == BIO_CTRL_FLUSH ? 1 : 0;
    });
    return made;  // Lives with the process.
  }();
  return shared;
}

int TlsEngine::read_input(BIO* bio, char* into, int size) {
  TlsEngine& engine = engine_of(bio);
  BIO_clear_retry_flags(bio);
  if (engine.input_.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t count = std::min(engine.input_.size(), static_cast<size_t>(size));
  std::memcpy(into, engine.input_.data(), count);
  engine.input_ = engine.input_.subspan(count);
  return static_cast<int>(count);
}

int TlsEngine::write_output(BIO* bio, const char* from, int size) {
  TlsEngine& engine = engine_of(bio);
  RINGPOST_ASSERT(engine.out_ != nullptr);
  engine.out_->append(from, static_cast<size_t>(size));
  return size;
}

// --- callbacks -----------------------------------------------------------------------------------

void TlsEngine::tell_time(const SSL* ssl, timeval* out) {
  BIO* const bio = ssl != nullptr ? SSL_get_rbio(ssl) : nullptr;
  if (bio == nullptr) {  // Asked for the context's sake, before there is a connection.
    gettimeofday(out, nullptr);
    return;
  }
  *out = {.tv_sec = to_unix_seconds(engine_of(bio).now_), .tv_usec = 0};
}

int TlsEngine::keep_session(SSL* ssl, SSL_SESSION* session) {
  TlsEngine& engine = engine_of(SSL_get_rbio(ssl));
  engine.client_->keep_session(engine.server_name_, bssl::UniquePtr<SSL_SESSION>{session});
  return 1;  // The reference is ours now.
}

int TlsEngine::judge_certificate(int verified, X509_STORE_CTX* context) {
  X509* const certificate = X509_STORE_CTX_get_current_cert(context);
  if (certificate == nullptr) return verified;
  if (verified == 1 && too_weak(certificate)) {
    X509_STORE_CTX_set_error(context, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
  }
  if (verified == 0 && X509_STORE_CTX_get_error_depth(context) == 0 &&
      X509_STORE_CTX_get_error(context) == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY &&
      names_itself_as_issuer(certificate)) {
    X509_STORE_CTX_set_error(context, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
  }
  return verified;
}

}  // namespace ringpost::net
