#include "net/tls.h"

#include "crypto/hex.h"
#include "net/certificate_compression.h"
#include "net/tls_context.h"
#include "net/tls_engine.h"
#include "net/tls_library.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace ringpost::net {
namespace {

constexpr uint8_t alpn_protocols[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

/// AES-128-GCM first: the cheapest on machines with AES instructions, and no weaker in practice.
/// TLS 1.2 only; the library orders those of 1.3 in the same way.
constexpr const char* ciphers_of_tls12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/// The hybrid first: what is recorded today stays secret even if quantum computers come. P-384
/// last: wanted by nobody for the key exchange, but servers' certificates may use it.
constexpr const char* groups =
    has_post_quantum_groups ? "X25519MLKEM768:X25519:P-256:P-384" : "X25519:P-256:P-384";

/// For how long an endpoint's choice of group is believed to be its choice still.
constexpr Duration group_memory = std::chrono::hours{1};

/// Equal certificates of all connections are stored once.
CRYPTO_BUFFER_POOL* certificate_pool() {
  static CRYPTO_BUFFER_POOL* const pool = CRYPTO_BUFFER_POOL_new();  // Lives with the process.
  return pool;
}

/// What clients and servers have in common.
bssl::UniquePtr<SSL_CTX> make_context() {
  bssl::UniquePtr<SSL_CTX> context{SSL_CTX_new(TLS_method())};
  RINGPOST_ASSERT(context != nullptr);
  share_certificates(context.get(), certificate_pool());
  RINGPOST_ASSERT(SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1);
  RINGPOST_ASSERT(SSL_CTX_set_max_proto_version(context.get(), TLS1_3_VERSION) == 1);
  RINGPOST_ASSERT(SSL_CTX_set_strict_cipher_list(context.get(), ciphers_of_tls12) == 1);
  RINGPOST_ASSERT(offer_groups(context.get(), groups));
  SSL_CTX_set_current_time_cb(context.get(), TlsEngine::tell_time);
  return context;
}

/// Takes over the store. Chain verification is on; the host name is each connection's.
bssl::UniquePtr<SSL_CTX> make_client_context(bool verify, bssl::UniquePtr<X509_STORE> roots) {
  auto context = make_context();
  SSL_CTX_set_verify(context.get(), verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                     verify ? TlsEngine::judge_certificate : nullptr);
  if (roots != nullptr) SSL_CTX_set_cert_store(context.get(), roots.release());
  accept_compressed_certificates(context.get());
  // Sessions are kept per endpoint (ClientTls::State), not in the library's table.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context.get(), TlsEngine::keep_session);
  const int refused = SSL_CTX_set_alpn_protos(context.get(), alpn_protocols, sizeof alpn_protocols);
  RINGPOST_ASSERT(refused == 0);  // This one call answers 0 for success.
  return context;
}

bssl::UniquePtr<BIO> memory_bio(const std::string& text) {
  bssl::UniquePtr<BIO> bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
  RINGPOST_ASSERT(bio != nullptr);
  return bio;
}

bool ended_cleanly() {
  const uint32_t error = ERR_peek_last_error();
  const bool no_more =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  return no_more;
}

/// Adds every certificate of a PEM text to the store; at least one.
Result<void> add_roots(X509_STORE* store, const std::string& pem, Side side) {
  auto bio = memory_bio(pem);
  ERR_clear_error();
  size_t count = 0;
  while (true) {
    bssl::UniquePtr<X509> certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)};
    if (certificate == nullptr) break;
    if (X509_STORE_add_cert(store, certificate.get()) != 1) break;
    ++count;
  }
  if (!ended_cleanly() || count == 0) return Error{Errc::malformed, side};
  return {};
}

Result<bssl::UniquePtr<X509_STORE>> parse_roots(const std::string& pem, Side side) {
  bssl::UniquePtr<X509_STORE> store{X509_STORE_new()};
  if (auto added = add_roots(store.get(), pem, side); !added) return added.error();
  return store;
}

/// The system's roots and, if there are any, the operator's, which are enough where there is no
/// system.
Result<bssl::UniquePtr<X509_STORE>> common_store(const std::string& ca_pem) {
  auto store = load_roots(system_roots_path);
  if (ca_pem.empty()) return store;
  bssl::UniquePtr<X509_STORE> roots{store ? std::move(store).value().release() : X509_STORE_new()};
  if (auto added = add_roots(roots.get(), ca_pem, Side::operator_); !added) return added.error();
  // Whoever names an intermediate or a server's own certificate means to trust just that.
  X509_STORE_set_flags(roots.get(), X509_V_FLAG_PARTIAL_CHAIN);
  return roots;
}

/// One context for all endpoints that trust the same common roots: what endpoints own besides is a
/// few tickets.
Result<bssl::UniquePtr<SSL_CTX>> context_of(CommonRoots::State& common) {
  const std::lock_guard lock{common.mutex};
  if (common.context == nullptr) {
    auto roots = common_store(common.ca_pem);
    if (!roots) return roots.error();  // Not remembered: the file may be there next time.
    common.context = make_client_context(true, std::move(roots).value());
  }
  return bssl::UpRef(common.context);
}

/// One for all that verify nothing.
bssl::UniquePtr<SSL_CTX> unverified_context() {
  static std::mutex mutex;
  static bssl::UniquePtr<SSL_CTX> context;
  const std::lock_guard lock{mutex};
  if (context == nullptr) context = make_client_context(false, nullptr);
  return bssl::UpRef(context);
}

/// The system's roots alone.
CommonRoots::State& system_roots() {
  static CommonRoots::State state;
  return state;
}

int choose_protocol(SSL* /*ssl*/, const uint8_t** chosen, uint8_t* chosen_size,
                    const uint8_t* offered, unsigned offered_size, void* /*unused*/) {
  uint8_t* match = nullptr;
  const int found = SSL_select_next_proto(&match, chosen_size, alpn_protocols,
                                          sizeof alpn_protocols, offered, offered_size);
  if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301, 3.2.
  *chosen = match;
  return SSL_TLSEXT_ERR_OK;
}

using Certificate = bssl::UniquePtr<CRYPTO_BUFFER>;

/// The certificate's bytes, which equal ones share.
Certificate pooled(X509* certificate) {
  uint8_t* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  RINGPOST_ASSERT(size > 0);  // It was read a moment ago: fails without memory only.
  const bssl::UniquePtr<uint8_t> owner{bytes};
  return Certificate{CRYPTO_BUFFER_new(bytes, static_cast<size_t>(size), certificate_pool())};
}

/// Every certificate of a PEM text in its order; empty if one cannot be read.
std::vector<Certificate> parse_chain(const std::string& pem) {
  auto bio = memory_bio(pem);
  ERR_clear_error();
  std::vector<Certificate> chain;
  while (
      const bssl::UniquePtr<X509> next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    chain.push_back(pooled(next.get()));
  }
  if (!ended_cleanly()) chain.clear();
  return chain;
}

/// The key of a PEM text, or null.
bssl::UniquePtr<EVP_PKEY> parse_key(const std::string& pem) {
  auto bio = memory_bio(pem);
  // An encrypted key would make the library ask the terminal: the empty answer refuses it.
  const auto no_passphrase = [](char*, int, int, void*) { return 0; };
  return bssl::UniquePtr<EVP_PKEY>{
      PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr)};
}

bool give_identity(SSL_CTX* context, const std::string& certificate_pem,
                   const std::string& key_pem) {
  const std::vector<Certificate> chain = parse_chain(certificate_pem);
  const auto key = parse_key(key_pem);
  std::vector<CRYPTO_BUFFER*> members;
  for (const Certificate& certificate : chain) members.push_back(certificate.get());
  const bool given = key != nullptr && !chain.empty() && use_identity(context, members, key.get());
  ERR_clear_error();
  return given;
}

}  // namespace

Result<bssl::UniquePtr<X509_STORE>> load_roots(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) return Error{Errc::not_found, Side::operator_, ENOENT};
  const std::string pem{std::istreambuf_iterator<char>{file}, {}};
  return parse_roots(pem, Side::operator_);
}

void ClientTls::State::keep_session(const std::string& name, bssl::UniquePtr<SSL_SESSION> session) {
  belong_to(name);
  auto hole = std::find(sessions_.begin(), sessions_.end(), nullptr);
  if (hole == sessions_.end()) --hole;  // Full: the oldest goes.
  std::move_backward(sessions_.begin(), hole, hole + 1);
  sessions_[0] = std::move(session);
}

bssl::UniquePtr<SSL_SESSION> ClientTls::State::take_session(const std::string& name, WallTime now) {
  if (name != server_name_) return nullptr;
  const auto seconds = static_cast<uint64_t>(to_unix_seconds(now));
  for (auto& session : sessions_) {
    if (session == nullptr) continue;
    const uint64_t ends =
        SSL_SESSION_get_time(session.get()) + SSL_SESSION_get_timeout(session.get());
    if (ends <= seconds) {
      session.reset();
    } else if (SSL_SESSION_should_be_single_use(session.get()) != 0) {
      return std::move(session);
    } else {
      return bssl::UpRef(session);
    }
  }
  return nullptr;
}

void ClientTls::State::keep_group(const std::string& name, uint16_t group, WallTime now) {
  belong_to(name);
  if (group == group_ && now < group_until_) return;  // The hour is that of its own free choice.
  group_ = group;
  group_until_ = now + group_memory;
}

uint16_t ClientTls::State::group_for(const std::string& name, WallTime now) const {
  return name == server_name_ && now < group_until_ ? group_ : 0;
}

bool ClientTls::State::remembers() const {
  return group_ != 0 ||
         std::ranges::any_of(sessions_, [](const auto& one) { return one != nullptr; });
}

void ClientTls::State::forget_endpoint() {
  for (auto& session : sessions_) session.reset();
  group_ = 0;
  group_until_ = {};
}

void ClientTls::State::belong_to(const std::string& name) {
  if (name == server_name_) return;
  forget_endpoint();
  server_name_ = name;
}

CommonRoots::CommonRoots(std::unique_ptr<State> state) : state_(std::move(state)) {}
CommonRoots::~CommonRoots() = default;

Result<std::shared_ptr<CommonRoots>> CommonRoots::create(std::string ca_pem) {
  if (!ca_pem.empty()) {
    if (auto roots = parse_roots(ca_pem, Side::operator_); !roots) return roots.error();
  }
  auto state = std::make_unique<State>();
  state->ca_pem = std::move(ca_pem);
  return std::shared_ptr<CommonRoots>{new CommonRoots{std::move(state)}};
}

const std::string& CommonRoots::ca_pem() const {
  return state_->ca_pem;
}

ClientTls::ClientTls(std::unique_ptr<State> state) : state_(std::move(state)) {}
ClientTls::~ClientTls() = default;

bool ClientTls::remembers() const {
  return state_->remembers();
}

namespace {

/// A context that no other endpoint shares.
Result<bssl::UniquePtr<SSL_CTX>> own_context(const ClientTls::Options& options) {
  if (!options.verify) return make_client_context(false, nullptr);
  auto roots = options.ca_pem.empty()
                   ? common_store(options.roots != nullptr ? options.roots->ca_pem() : "")
                   : parse_roots(options.ca_pem, Side::operator_);
  if (!roots) return roots.error();
  // Whoever names an intermediate or a server's own certificate means to trust just that.
  if (!options.ca_pem.empty()) X509_STORE_set_flags(roots->get(), X509_V_FLAG_PARTIAL_CHAIN);
  return make_client_context(true, std::move(roots).value());
}

}  // namespace

Result<std::unique_ptr<ClientTls>> ClientTls::create(const Options& options) {
  auto state = std::make_unique<State>();
  state->verify = options.verify;
  const bool shows_itself = !options.certificate_pem.empty();
  if (shows_itself || (options.verify && !options.ca_pem.empty())) {
    auto context = own_context(options);
    if (!context) return context.error();
    state->context = std::move(context).value();
    if (shows_itself &&
        !give_identity(state->context.get(), options.certificate_pem, options.key_pem)) {
      return Error{Errc::malformed, Side::operator_};
    }
  } else if (!options.verify) {
    state->context = unverified_context();
  } else {
    auto context = context_of(options.roots != nullptr ? options.roots->state() : system_roots());
    if (!context) return context.error();
    state->context = std::move(context).value();
  }
  return std::unique_ptr<ClientTls>{new ClientTls{std::move(state)}};
}

ServerTls::ServerTls(std::unique_ptr<State> state) : state_(std::move(state)) {}
ServerTls::~ServerTls() = default;

Result<std::unique_ptr<ServerTls>> ServerTls::create(const std::string& certificate_pem,
                                                     const std::string& key_pem,
                                                     Versions versions) {
  const Error malformed{Errc::malformed, Side::operator_};
  auto state = std::make_unique<State>();
  state->context = make_context();
  SSL_CTX* const context = state->context.get();
  if (versions == Versions::only_1_2) {
    RINGPOST_ASSERT(SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION) == 1);
  } else if (versions == Versions::only_1_3) {
    RINGPOST_ASSERT(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1);
  }
  if (!give_identity(context, certificate_pem, key_pem)) return malformed;
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // Tickets only: no table to fill.
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  send_compressed_certificates(context);
  return std::unique_ptr<ServerTls>{new ServerTls{std::move(state)}};
}

namespace {

bssl::UniquePtr<X509> first_certificate(const std::string& pem) {
  auto bio = memory_bio(pem);
  bssl::UniquePtr<X509> certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)};
  ERR_clear_error();
  return certificate;
}

}  // namespace

std::optional<WallTime> certificate_expires_at(const std::string& certificate_pem) {
  const auto certificate = first_certificate(certificate_pem);
  if (certificate == nullptr) return std::nullopt;
  // ASN1_TIME_to_posix would say it at once, and Debian's BoringSSL does not have it.
  const bssl::UniquePtr<ASN1_TIME> epoch{ASN1_TIME_set(nullptr, 0)};
  int days = 0;
  int rest = 0;
  const ASN1_TIME* const end = X509_get0_notAfter(certificate.get());
  if (ASN1_TIME_diff(&days, &rest, epoch.get(), end) != 1) return std::nullopt;
  const int64_t seconds = int64_t{days} * 86'400 + rest;
  // What the nanoseconds of a WallTime cannot hold (after 2262) is as good as never.
  constexpr int64_t seconds_max =
      std::chrono::duration_cast<std::chrono::seconds>(WallTime::max().time_since_epoch()).count();
  return WallTime{std::chrono::seconds{std::clamp<int64_t>(seconds, 0, seconds_max)}};
}

bool certificate_in_force(const std::string& certificate_pem) {
  const auto certificate = first_certificate(certificate_pem);
  return certificate != nullptr &&
         X509_cmp_current_time(X509_get0_notBefore(certificate.get())) < 0 &&
         X509_cmp_current_time(X509_get0_notAfter(certificate.get())) > 0;
}

namespace {

std::string name_or_number(const char* name, uint16_t number) {
  if (name != nullptr) return name;
  const std::byte bytes[] = {static_cast<std::byte>(number >> 8), static_cast<std::byte>(number)};
  return "0x" + crypto::hex_encode(bytes);
}

}  // namespace

std::string tls_version_name(uint16_t version) {
  switch (version) {
    case TLS1_2_VERSION: return "TLSv1.2";
    case TLS1_3_VERSION: return "TLSv1.3";
    default: return name_or_number(nullptr, version);
  }
}

std::string tls_cipher_name(uint16_t cipher) {
  const SSL_CIPHER* const known = SSL_get_cipher_by_value(cipher);
  return name_or_number(known == nullptr ? nullptr : SSL_CIPHER_standard_name(known), cipher);
}

std::string tls_group_name(uint16_t group) {
  return name_or_number(name_of_group(group), group);
}

}  // namespace ringpost::net
