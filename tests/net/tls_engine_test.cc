#include "net/tls_engine.h"

#include "crypto/hex.h"
#include "net/test_certificates.h"
#include "net/tls_context.h"
#include "net/tls_library.h"

#include <gtest/gtest.h>
#include <openssl/bytestring.h>
#include <openssl/x509.h>

#include <array>
#include <atomic>
#include <brotli/encode.h>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

// Goal: no byte of a request goes to a peer that does not prove to be the named host, over any
// protocol below TLS 1.2; and to the right one it goes, however the bytes are cut on the way.
// Method: two engines, or an engine and a bare library server, joined by strings.

namespace ringpost::net {
namespace {

using testing::CertificateOptions;
using testing::TestAuthority;
using testing::TestIdentity;
using Progress = TlsEngine::Progress;

WallTime wall_now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

std::unique_ptr<ClientTls> client_trusting(const std::string& ca_pem, bool verify = true) {
  auto made = ClientTls::create({.verify = verify, .ca_pem = ca_pem});
  RINGPOST_ASSERT(made);
  return std::move(made).value();
}

std::unique_ptr<ServerTls> server_with(const TestIdentity& identity) {
  auto made = ServerTls::create(identity.certificate_pem, identity.key_pem);
  RINGPOST_ASSERT(made);
  return std::move(made).value();
}

/// One end of a connection: an engine with what it has read and written.
struct End {
  std::unique_ptr<TlsEngine> engine;
  std::string out;       ///< Sealed, not yet taken by the other end.
  std::string received;  ///< Plain.
  bool open = false;
  bool failed = false;
  bool ended = false;

  void take(std::string_view sealed) {
    engine->lend(as_bytes(sealed), wall_now());
    while (step()) {
    }
    EXPECT_TRUE(engine->take_rest().empty() || failed || ended);
  }

  bool step() {
    if (failed || ended) return false;
    std::array<std::byte, 16'384> record;
    size_t size = 0;
    const Progress progress = open ? engine->read(record, size, out) : engine->handshake(out);
    if (progress == Progress::done && open) received += as_text({record.data(), size});
    if (progress == Progress::done && !open) open = true;
    failed = progress == Progress::failed;
    ended = progress == Progress::ended;
    return progress == Progress::done;
  }
};

/// Carries bytes both ways, in pieces of `piece` bytes, until nobody has any.
void carry(End& left, End& right, size_t piece = 1 << 20) {
  left.take({});
  while (!left.out.empty() || !right.out.empty()) {
    for (auto [from, to] : {std::pair{&left, &right}, std::pair{&right, &left}}) {
      const std::string bytes = std::exchange(from->out, {});
      for (size_t at = 0; at < bytes.size() && !to->failed && !to->ended; at += piece) {
        to->take(std::string_view{bytes}.substr(at, piece));
      }
    }
  }
}

struct Pair {
  End client;
  End server;
};

Pair join(ClientTls& client, ServerTls& server, const std::string& name = "hook.test",
          size_t piece = 1 << 20) {
  Pair pair;
  auto engine = TlsEngine::for_client(client, name, wall_now());
  RINGPOST_ASSERT(engine);
  pair.client.engine = std::move(engine).value();
  pair.server.engine = TlsEngine::for_server(server, wall_now());
  carry(pair.client, pair.server, piece);
  return pair;
}

/// A connection that also carries an answer: the server's tickets come with its first bytes.
Pair join_and_answer(ClientTls& client, ServerTls& server) {
  Pair pair = join(client, server);
  EXPECT_TRUE(pair.server.engine->write(as_bytes("answer"), pair.server.out));
  carry(pair.client, pair.server);
  EXPECT_EQ(pair.client.received, "answer");
  return pair;
}

const TestAuthority& authority() {
  static const TestAuthority made;
  return made;
}

TestIdentity good_identity() {
  return authority().issue({.dns_names = {"hook.test"}});
}

TEST(TlsEngine, CarriesBytesBothWays) {
  const auto client = client_trusting(authority().certificate_pem());
  const auto server = server_with(good_identity());
  Pair pair = join(*client, *server);
  ASSERT_TRUE(pair.client.open && pair.server.open);
  EXPECT_EQ(pair.client.engine->session().version, TLS1_3_VERSION);

  const std::string request(100'000, 'q');
  ASSERT_TRUE(pair.client.engine->write(as_bytes(request), pair.client.out));
  ASSERT_TRUE(pair.server.engine->write(as_bytes("answer"), pair.server.out));
  carry(pair.client, pair.server);
  EXPECT_EQ(pair.server.received, request);
  EXPECT_EQ(pair.client.received, "answer");
}

TEST(TlsEngine, ServesTheVersionsThatItIsMadeFor) {
  using Versions = ServerTls::Versions;
  const auto client = client_trusting(authority().certificate_pem());
  const TestIdentity identity = good_identity();
  for (const auto& [versions, agreed] :
       {std::pair{Versions::both, TLS1_3_VERSION}, std::pair{Versions::only_1_2, TLS1_2_VERSION},
        std::pair{Versions::only_1_3, TLS1_3_VERSION}}) {
    auto server = ServerTls::create(identity.certificate_pem, identity.key_pem, versions);
    ASSERT_TRUE(server);
    const Pair pair = join(*client, **server);
    EXPECT_EQ(pair.client.engine->session().version, agreed);
  }
}

TEST(TlsEngine, WorksWhateverPiecesTheBytesComeIn) {
  const auto client = client_trusting(authority().certificate_pem());
  const auto server = server_with(good_identity());
  for (const size_t piece : {1, 2, 3, 5, 7, 64, 100, 1000}) {
    Pair pair = join(*client, *server, "hook.test", piece);
    ASSERT_TRUE(pair.client.open && pair.server.open) << piece;
    ASSERT_TRUE(pair.client.engine->write(as_bytes("request"), pair.client.out));
    carry(pair.client, pair.server, piece);
    EXPECT_EQ(pair.server.received, "request") << piece;
  }
}

TEST(TlsEngine, SealsAMessageOfOneRecordIntoOneRecord) {
  const auto client = client_trusting(authority().certificate_pem());
  const auto server = server_with(good_identity());
  Pair pair = join(*client, *server);
  pair.client.out.clear();
  ASSERT_TRUE(pair.client.engine->write(as_bytes(std::string(16'384, 'x')), pair.client.out));
  const auto length = static_cast<size_t>(static_cast<uint8_t>(pair.client.out[3])) << 8 |
                      static_cast<uint8_t>(pair.client.out[4]);
  EXPECT_EQ(pair.client.out.size(), 5 + length);
}

TEST(TlsEngine, TellsACloseNoticeFromSilence) {
  const auto client = client_trusting(authority().certificate_pem());
  const auto server = server_with(good_identity());
  Pair pair = join(*client, *server);
  EXPECT_FALSE(pair.client.ended);
  pair.server.engine->write_close_notice(pair.server.out);
  carry(pair.client, pair.server);
  EXPECT_TRUE(pair.client.ended);
  // The other direction is still open (RFC 8446, 6.1).
  EXPECT_TRUE(pair.client.engine->write(as_bytes("late"), pair.client.out));
}

TEST(TlsEngine, FailsOnABitFlippedAnywhereInARecord) {
  const auto client = client_trusting(authority().certificate_pem());
  const auto server = server_with(good_identity());
  for (size_t place = 5; place < 40; ++place) {
    Pair pair = join(*client, *server);
    std::string sealed;
    ASSERT_TRUE(pair.client.engine->write(as_bytes("a request of some size"), sealed));
    ASSERT_GT(sealed.size(), place);
    sealed[place] = static_cast<char>(sealed[place] ^ 1);
    pair.server.take(sealed);
    EXPECT_TRUE(pair.server.failed) << place;
    EXPECT_EQ(pair.server.engine->error().code, Errc::tls_failed);
    EXPECT_TRUE(pair.server.received.empty());
  }
}

TEST(TlsEngine, SaysThatAPeerDoesNotSpeakTls) {
  const auto client = client_trusting(authority().certificate_pem());
  for (const std::string_view answer :
       {"HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "220 mail ready\r\n"}) {
    End end{.engine = std::move(TlsEngine::for_client(*client, "hook.test", wall_now())).value()};
    end.take({});
    end.take(answer);
    ASSERT_TRUE(end.failed) << answer;
    EXPECT_EQ(describe_tls(end.engine->error()), "TLS failed: peer does not use TLS on this port");
  }
}

// --- certificates (reliability T-1) --------------------------------------------------------------

struct BadCertificate {
  const char* name;
  TestIdentity identity;
  std::string host;
  int32_t reason;
  std::string words;
};

std::vector<BadCertificate> bad_certificates() {
  const TestAuthority stranger{"somebody's own root"};
  const TestAuthority between = authority().intermediate("intermediate");
  TestIdentity incomplete = between.issue({.dns_names = {"hook.test"}});
  const size_t second = incomplete.certificate_pem.find("-----BEGIN", 1);
  incomplete.certificate_pem.resize(second);
  TestIdentity with_root = stranger.issue({.dns_names = {"hook.test"}});
  with_root.certificate_pem += stranger.certificate_pem();
  // The leaf of an honest customer, used to vouch for another host.
  using Key = CertificateOptions::Key;
  const auto issue = [](const CertificateOptions& options) { return authority().issue(options); };
  return {
      {"expired",
       issue({.dns_names = {"hook.test"}, .valid_from_seconds = -7200, .valid_until_seconds = -1}),
       "hook.test", X509_V_ERR_CERT_HAS_EXPIRED, "certificate expired"},
      {"not yet valid", issue({.dns_names = {"hook.test"}, .valid_from_seconds = 3600}),
       "hook.test", X509_V_ERR_CERT_NOT_YET_VALID, "certificate not yet valid"},
      {"wrong host", issue({.dns_names = {"other.test", "hook.test.evil.test"}}), "hook.test",
       X509_V_ERR_HOSTNAME_MISMATCH, "certificate is for another host"},
      {"self-signed", testing::make_self_signed({.dns_names = {"hook.test"}}), "hook.test",
       X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "certificate is self-signed"},
      {"unknown root", stranger.issue({.dns_names = {"hook.test"}}), "hook.test",
       X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
       "certificate's issuer is unknown: if its CA is private, name that CA; if not, the server "
       "must also send its intermediate certificates"},
      {"unknown root, sent along", with_root, "hook.test", X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
       "certificate chain ends in an unknown root: if its CA is private, name that CA"},
      {"missing intermediate", incomplete, "hook.test",
       X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
       "certificate's issuer is unknown: if its CA is private, name that CA; if not, the server "
       "must also send its intermediate certificates"},
      {"common name only", issue({.common_name = "hook.test"}), "hook.test",
       X509_V_ERR_HOSTNAME_MISMATCH, "certificate is for another host"},
      {"wildcard too deep", issue({.dns_names = {"*.test"}}), "a.hook.test",
       X509_V_ERR_HOSTNAME_MISMATCH, "certificate is for another host"},
      {"partial wildcard", issue({.dns_names = {"ho*.test", "*ok.test"}}), "hook.test",
       X509_V_ERR_HOSTNAME_MISMATCH, "certificate is for another host"},
      {"wildcard of everything", issue({.dns_names = {"*"}}), "hook", X509_V_ERR_HOSTNAME_MISMATCH,
       "certificate is for another host"},
      {"address without IP name", issue({.dns_names = {"192.0.2.1", "hook.test"}}), "192.0.2.1",
       X509_V_ERR_IP_ADDRESS_MISMATCH, "certificate is for another IP address"},
      {"another address", issue({.ip_addresses = {"192.0.2.2"}}), "192.0.2.1",
       X509_V_ERR_IP_ADDRESS_MISMATCH, "certificate is for another IP address"},
      {"another IPv6 address", issue({.ip_addresses = {"2001:db8::2"}}), "2001:db8::1",
       X509_V_ERR_IP_ADDRESS_MISMATCH, "certificate is for another IP address"},
      {"for clients", issue({.dns_names = {"hook.test"}, .purpose = NID_client_auth}), "hook.test",
       X509_V_ERR_INVALID_PURPOSE, "certificate is not meant for servers"},
      {"SHA-1", issue({.dns_names = {"hook.test"}, .sha1 = true}), "hook.test",
       X509_V_ERR_APPLICATION_VERIFICATION,
       "certificate has a weak key or signature (RSA below 2048 bits, SHA-1 or MD5)"},
      {"RSA-1024", issue({.dns_names = {"hook.test"}, .key = Key::rsa1024}), "hook.test",
       X509_V_ERR_APPLICATION_VERIFICATION,
       "certificate has a weak key or signature (RSA below 2048 bits, SHA-1 or MD5)"},
  };
}

TEST(Verification, RefusesEveryBadCertificateWithItsReason) {
  const auto client = client_trusting(authority().certificate_pem());
  for (const BadCertificate& bad : bad_certificates()) {
    const auto server = server_with(bad.identity);
    const Pair pair = join(*client, *server, bad.host);
    EXPECT_FALSE(pair.client.open) << bad.name;
    ASSERT_TRUE(pair.client.failed) << bad.name;
    const Error& error = pair.client.engine->error();
    EXPECT_EQ(error.code, Errc::certificate_invalid) << bad.name;
    EXPECT_EQ(error.side, Side::endpoint);
    EXPECT_EQ(error.detail, bad.reason) << bad.name;
    EXPECT_EQ(describe_tls(error), bad.words) << bad.name;
    EXPECT_FALSE(pair.server.open) << bad.name;
  }
}

TEST(Verification, RefusesALeafThatSignsForOthers) {
  // Method: the leaf's own PEM is given out as its "issuer" by a chain that ends in a trusted root.
  const TestAuthority pretender = authority().intermediate("pretender");
  const TestIdentity leaf = pretender.issue({.dns_names = {"hook.test"}});
  const auto client = client_trusting(TestAuthority{"other root"}.certificate_pem());
  const auto server = server_with(leaf);
  EXPECT_TRUE(join(*client, *server).client.failed);
}

TEST(Verification, AcceptsWhatIsRight) {
  const auto client = client_trusting(authority().certificate_pem());
  using Key = CertificateOptions::Key;
  const std::pair<CertificateOptions, std::string> good[] = {
      {{.dns_names = {"hook.test"}}, "hook.test"},
      {{.dns_names = {"hook.test"}}, "HOOK.test"},
      {{.dns_names = {"hook.test"}}, "hook.test."},
      {{.dns_names = {"a.test", "b.test", "hook.test"}}, "hook.test"},
      {{.dns_names = {"*.hook.test"}}, "eu.hook.test"},
      {{.ip_addresses = {"192.0.2.1"}}, "192.0.2.1"},
      {{.ip_addresses = {"2001:db8::1"}}, "2001:db8::1"},
      {{.ip_addresses = {"2001:db8::1"}}, "2001:0db8:0:0::1"},
      {{.dns_names = {"hook.test"}, .purpose = 0}, "hook.test"},
      {{.dns_names = {"hook.test"}, .key = Key::rsa2048}, "hook.test"},
  };
  for (const auto& [options, host] : good) {
    const auto server = server_with(authority().issue(options));
    const Pair pair = join(*client, *server, host);
    EXPECT_TRUE(pair.client.open && pair.server.open)
        << host << ": " << describe_tls(pair.client.engine->error());
  }
}

TEST(Verification, FollowsAnIntermediateThatTheServerSends) {
  const TestAuthority between = authority().intermediate("intermediate");
  const auto client = client_trusting(authority().certificate_pem());
  const auto server = server_with(between.issue({.dns_names = {"hook.test"}}));
  EXPECT_TRUE(join(*client, *server).client.open);
}

TEST(Verification, TrustsExactlyWhatTheWebhookNames) {
  // A self-signed certificate or an intermediate, pinned; and several roots in one text.
  const TestIdentity pinned = testing::make_self_signed({.dns_names = {"hook.test"}});
  EXPECT_TRUE(join(*client_trusting(pinned.certificate_pem), *server_with(pinned)).client.open);

  const TestAuthority between = authority().intermediate("intermediate");
  const auto server = server_with(between.issue({.dns_names = {"hook.test"}}));
  EXPECT_TRUE(join(*client_trusting(between.certificate_pem()), *server).client.open);

  const TestAuthority other{"other root"};
  const auto both = client_trusting(other.certificate_pem() + authority().certificate_pem());
  EXPECT_TRUE(join(*both, *server).client.open);
  EXPECT_FALSE(join(*client_trusting(other.certificate_pem()), *server).client.open);
}

TEST(Verification, JudgesTheDateByTheClockItIsGiven) {
  const auto client = client_trusting(authority().certificate_pem());
  const auto server = server_with(good_identity());
  auto engine = TlsEngine::for_client(*client, "hook.test", wall_now() + std::chrono::hours{48});
  Pair pair;
  pair.client.engine = std::move(engine).value();
  pair.server.engine = TlsEngine::for_server(*server, wall_now());
  carry(pair.client, pair.server);
  ASSERT_TRUE(pair.client.failed);
  EXPECT_EQ(pair.client.engine->error().detail, X509_V_ERR_CERT_HAS_EXPIRED);
}

TEST(Verification, IsOffOnlyWhereAskedFor) {
  const auto client = client_trusting("", false);
  for (const BadCertificate& bad : bad_certificates()) {
    if (std::string_view{bad.name} == "RSA-1024") continue;  // Too small to sign TLS 1.3 safely.
    const Pair pair = join(*client, *server_with(bad.identity), bad.host);
    EXPECT_TRUE(pair.client.open) << bad.name << describe_tls(pair.client.engine->error());
  }
}

TEST(Verification, RefusesNamesThatNoCertificateCanCarry) {
  const auto client = client_trusting(authority().certificate_pem());
  for (const std::string& name :
       {std::string{}, std::string{"."}, std::string("hook\0.test", 10), std::string(300, 'a')}) {
    const auto engine = TlsEngine::for_client(*client, name, wall_now());
    ASSERT_FALSE(engine) << name;
    EXPECT_EQ(engine.error().code, Errc::malformed);
  }
}

// --- a server of the library's own, to be as bad as we like --------------------------------------

struct BareServer {
  bssl::UniquePtr<SSL_CTX> context{SSL_CTX_new(TLS_method())};
  bssl::UniquePtr<SSL> ssl;
  std::string server_name;
  std::string plain;
  size_t hello_size = 0;  ///< Of the client's first message.
  bool handshake_done = false;

  BareServer(const TestIdentity& identity, int version_min, int version_max) {
    SSL_CTX_set_min_proto_version(context.get(), static_cast<uint16_t>(version_min));
    SSL_CTX_set_max_proto_version(context.get(), static_cast<uint16_t>(version_max));
    const auto use = [](const std::string& pem) {
      return bssl::UniquePtr<BIO>{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
    };
    bssl::UniquePtr<X509> leaf{
        PEM_read_bio_X509(use(identity.certificate_pem).get(), nullptr, nullptr, nullptr)};
    bssl::UniquePtr<EVP_PKEY> key{
        PEM_read_bio_PrivateKey(use(identity.key_pem).get(), nullptr, nullptr, nullptr)};
    RINGPOST_ASSERT(SSL_CTX_use_certificate(context.get(), leaf.get()) == 1);
    RINGPOST_ASSERT(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
  }

  void start() {
    ssl.reset(SSL_new(context.get()));
    SSL_set_accept_state(ssl.get());
    SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl.get()), -1);
    handshake_done = false;
    plain.clear();
  }

  std::string take(const std::string& sealed) {
    BIO_write(SSL_get_rbio(ssl.get()), sealed.data(), static_cast<int>(sealed.size()));
    if (!handshake_done && SSL_do_handshake(ssl.get()) == 1) {
      handshake_done = true;
      SSL_write(ssl.get(), "answer", 6);  // The tickets come with the first bytes.
    }
    char bytes[16'384];
    int count = 0;
    while (handshake_done && (count = SSL_read(ssl.get(), bytes, sizeof bytes)) > 0) {
      plain.append(bytes, static_cast<size_t>(count));
    }
    if (const char* name = SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name)) {
      server_name = name;
    }
    const uint8_t* out = nullptr;
    size_t size = 0;
    BIO_mem_contents(SSL_get_wbio(ssl.get()), &out, &size);
    std::string answer{reinterpret_cast<const char*>(out), size};
    BIO_reset(SSL_get_wbio(ssl.get()));
    return answer;
  }

  End meet(ClientTls& client, const std::string& host, WallTime now = wall_now()) {
    start();
    End end{.engine = std::move(TlsEngine::for_client(client, host, now)).value()};
    end.take({});
    hello_size = end.out.size();
    while (!end.out.empty() && !end.failed) end.take(take(std::exchange(end.out, {})));
    return end;
  }
};

TEST(Verification, RefusesServersOlderThanTls12) {
  const auto client = client_trusting(authority().certificate_pem());
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    BareServer server{good_identity(), TLS1_VERSION, version};
    const End end = server.meet(*client, "hook.test");
    EXPECT_TRUE(end.failed);
    EXPECT_FALSE(server.handshake_done);
    EXPECT_EQ(end.engine->error().code, Errc::tls_failed);
    EXPECT_EQ(describe_tls(end.engine->error()),
              "TLS failed: peer speaks neither TLS 1.2 nor TLS 1.3");
  }
}

TEST(Verification, RefusesServersWithOldCiphersOnly) {
  const auto client = client_trusting(authority().certificate_pem());
  for (const char* cipher : {"AES128-SHA", "DES-CBC3-SHA", "ECDHE-RSA-AES128-SHA"}) {
    BareServer server{
        authority().issue({.dns_names = {"hook.test"}, .key = CertificateOptions::Key::rsa2048}),
        TLS1_2_VERSION, TLS1_2_VERSION};
    ASSERT_EQ(SSL_CTX_set_strict_cipher_list(server.context.get(), cipher), 1);
    const End end = server.meet(*client, "hook.test");
    EXPECT_TRUE(end.failed) << cipher;
    EXPECT_EQ(describe_tls(end.engine->error()), "TLS failed: no cipher in common") << cipher;
  }
}

TEST(ServerName, IsSentForNamesAndNotForAddresses) {
  const auto client = client_trusting(authority().certificate_pem());
  const TestIdentity identity =
      authority().issue({.dns_names = {"hook.test"}, .ip_addresses = {"192.0.2.1", "2001:db8::1"}});
  const std::pair<std::string, std::string> cases[] = {{"hook.test", "hook.test"},
                                                       {"hook.test.", "hook.test"},
                                                       {"192.0.2.1", ""},
                                                       {"2001:db8::1", ""}};
  for (const auto& [host, sent] : cases) {
    BareServer server{identity, TLS1_2_VERSION, TLS1_3_VERSION};
    EXPECT_TRUE(server.meet(*client, host).open) << host;
    EXPECT_EQ(server.server_name, sent) << host;
  }
}

// --- key exchange --------------------------------------------------------------------------------

constexpr uint16_t hybrid = 0x11ec;
constexpr uint16_t x25519 = 0x1d;
constexpr uint16_t p256 = 0x17;
constexpr uint16_t best_group = has_post_quantum_groups ? hybrid : x25519;
/// What a TCP segment carries on an Ethernet.
constexpr size_t packet_size = 1448;

TEST(KeyExchange, IsPostQuantumBetweenOurOwnEnds) {
  if (!has_post_quantum_groups) GTEST_SKIP() << "this BoringSSL knows no such group";
  const auto client = client_trusting(authority().certificate_pem());
  const auto server = server_with(good_identity());
  const Pair pair = join(*client, *server);
  const TlsSession expected{.version = 0x0304, .cipher = 0x1301, .group = hybrid};
  EXPECT_EQ(pair.client.engine->session(), expected);
  EXPECT_EQ(pair.server.engine->session(), expected);
}

TEST(KeyExchange, TakesWhateverTheServerHas) {
  const std::pair<const char*, uint16_t> cases[] = {
      {"X25519", x25519}, {"P-256", p256}, {"P-384", uint16_t{0x18}}};
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const auto& [name, group] : cases) {
      const auto client = client_trusting(authority().certificate_pem());
      BareServer server{good_identity(), version, version};
      ASSERT_TRUE(offer_groups(server.context.get(), name));
      const End end = server.meet(*client, "hook.test");
      ASSERT_TRUE(end.open) << name;
      EXPECT_EQ(end.engine->session().group, group);
      EXPECT_EQ(end.engine->session().version, version);
    }
  }
}

TEST(KeyExchange, FailsWithAServerThatHasNoGroupOfOurs) {
  const auto client = client_trusting(authority().certificate_pem());
  BareServer server{good_identity(), TLS1_2_VERSION, TLS1_3_VERSION};
  ASSERT_TRUE(offer_groups(server.context.get(), "P-521"));
  EXPECT_FALSE(server.meet(*client, "hook.test").open);
}

// Goal: an endpoint that lacks the large share costs a second packet once an hour, not each time.
TEST(KeyExchange, SendsTheShareThatTheEndpointChoseForAnHour) {
  if (!has_post_quantum_groups) GTEST_SKIP() << "this BoringSSL has one small share only";
  const auto client = client_trusting(authority().certificate_pem());
  BareServer server{good_identity(), TLS1_3_VERSION, TLS1_3_VERSION};
  SSL_CTX_set_options(server.context.get(), SSL_OP_NO_TICKET);
  ASSERT_TRUE(offer_groups(server.context.get(), "P-256"));
  const WallTime start = wall_now();
  const auto hello_at = [&](std::chrono::minutes later) {
    EXPECT_TRUE(server.meet(*client, "hook.test", start + later).open);
    return server.hello_size;
  };
  EXPECT_GT(hello_at(std::chrono::minutes{0}), packet_size);
  EXPECT_LT(hello_at(std::chrono::minutes{1}), packet_size / 2);
  EXPECT_LT(hello_at(std::chrono::minutes{59}), packet_size / 2);
  EXPECT_GT(hello_at(std::chrono::minutes{61}), packet_size);  // It may have learned it by now.
}

TEST(KeyExchange, FindsTheBetterGroupThatAServerLearned) {
  const auto client = client_trusting(authority().certificate_pem());
  BareServer server{good_identity(), TLS1_3_VERSION, TLS1_3_VERSION};
  ASSERT_TRUE(offer_groups(server.context.get(), "P-256"));
  EXPECT_EQ(server.meet(*client, "hook.test").engine->session().group, p256);
  ASSERT_TRUE(
      offer_groups(server.context.get(), has_post_quantum_groups ? "X25519MLKEM768" : "X25519"));
  EXPECT_EQ(server.meet(*client, "hook.test").engine->session().group, best_group);
}

TEST(KeyExchange, ForgetsTheChoiceOfAnotherHostAndOfAFailure) {
  const auto client = client_trusting(authority().certificate_pem());
  ClientTls::State& state = client->state();
  state.keep_group("hook.test", p256, wall_now());
  EXPECT_EQ(state.group_for("hook.test", wall_now()), p256);
  EXPECT_EQ(state.group_for("other.test", wall_now()), 0);
  BareServer server{good_identity(), TLS1_3_VERSION, TLS1_3_VERSION};
  ASSERT_TRUE(offer_groups(server.context.get(), "P-521"));
  EXPECT_FALSE(server.meet(*client, "hook.test").open);
  EXPECT_EQ(state.group_for("hook.test", wall_now()), 0);
}

TEST(TlsSession, HasTheNamesThatAreRegistered) {
  EXPECT_EQ(tls_version_name(0x0303), "TLSv1.2");
  EXPECT_EQ(tls_version_name(0x0304), "TLSv1.3");
  EXPECT_EQ(tls_version_name(0x0305), "0x0305");
  EXPECT_EQ(tls_cipher_name(0x1301), "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(tls_cipher_name(0xc02b), "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
  EXPECT_EQ(tls_cipher_name(0xfedc), "0xfedc");
  EXPECT_EQ(tls_group_name(x25519), "X25519");
  EXPECT_EQ(tls_group_name(p256), "P-256");
  EXPECT_EQ(tls_group_name(best_group), has_post_quantum_groups ? "X25519MLKEM768" : "X25519");
  EXPECT_EQ(tls_group_name(0x9999), "0x9999");
}

TEST(TlsSession, IsEmptyBeforeTheHandshakesEnd) {
  const auto client = client_trusting(authority().certificate_pem());
  const auto engine = TlsEngine::for_client(*client, "hook.test", wall_now());
  EXPECT_FALSE((*engine)->session());
}

// --- compressed certificates (RFC 8879) ----------------------------------------------------------

/// What a server sends instead of its certificate message; the size it states is the true one's.
std::string packed(std::string_view text) {
  size_t size = BrotliEncoderMaxCompressedSize(text.size());
  std::string out(size, '\0');
  RINGPOST_ASSERT(BrotliEncoderCompress(BROTLI_DEFAULT_QUALITY, BROTLI_DEFAULT_WINDOW,
                                        BROTLI_MODE_GENERIC, text.size(),
                                        reinterpret_cast<const uint8_t*>(text.data()), &size,
                                        reinterpret_cast<uint8_t*>(out.data())) == BROTLI_TRUE);
  out.resize(size);
  return out;
}

int add_text(CBB* out, std::string_view text) {
  return CBB_add_bytes(out, reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

int pack_rightly(SSL*, CBB* out, const uint8_t* in, size_t size) {
  return add_text(out, packed({reinterpret_cast<const char*>(in), size}));
}

int pack_one_byte_less(SSL*, CBB* out, const uint8_t* in, size_t size) {
  return add_text(out, packed({reinterpret_cast<const char*>(in), size - 1}));
}

int pack_far_too_much(SSL*, CBB* out, const uint8_t*, size_t) {
  return add_text(out, packed(std::string(64 << 20, 'a')));
}

int pack_noise(SSL*, CBB* out, const uint8_t*, size_t) {
  return add_text(out, "no brotli, to be sure");
}

TEST(CompressedCertificate, IsUnpackedAndVerified) {
  for (const auto& [pack, good] :
       {std::pair{&pack_rightly, true}, std::pair{&pack_one_byte_less, false},
        std::pair{&pack_far_too_much, false}, std::pair{&pack_noise, false}}) {
    const auto client = client_trusting(authority().certificate_pem());
    BareServer server{good_identity(), TLS1_3_VERSION, TLS1_3_VERSION};
    ASSERT_EQ(SSL_CTX_add_cert_compression_alg(server.context.get(), TLSEXT_cert_compression_brotli,
                                               pack, nullptr),
              1);
    const End end = server.meet(*client, "hook.test");
    EXPECT_EQ(end.open, good);
    if (!good) {
      EXPECT_EQ(end.engine->error().code, Errc::tls_failed);
    }
  }
}

/// Bytes of the server's answer to a first message of ours, for a client that asks for compression
/// or does not.
size_t answer_size(ServerTls& server, bool asks) {
  const auto client = client_trusting(authority().certificate_pem());
  if (!asks) {
    client->state().context.reset(SSL_CTX_new(TLS_method()));
    SSL_CTX_set_min_proto_version(client->state().context.get(), TLS1_3_VERSION);
  }
  auto engine = TlsEngine::for_client(*client, "hook.test", wall_now());
  End left{.engine = std::move(engine).value()};
  End right{.engine = TlsEngine::for_server(server, wall_now())};
  left.take({});
  right.take(std::exchange(left.out, {}));
  const size_t size = right.out.size();
  carry(left, right);
  EXPECT_TRUE(left.open && right.open);
  return size;
}

TEST(CompressedCertificate, IsSentToClientsThatAsk) {
  CertificateOptions names{.dns_names = {"hook.test"}};
  for (int i = 0; i < 50; ++i) names.dns_names.push_back("relay-" + std::to_string(i) + ".test");
  const auto server = server_with(authority().issue(names));
  const size_t plain = answer_size(*server, false);
  // What was kept of the first time is right for the second.
  for (int i = 0; i < 2; ++i) EXPECT_LT(answer_size(*server, true) + 500, plain);
  EXPECT_GT(answer_size(*server, false) + 8, plain);  // Signatures vary by a few bytes.
}

TEST(CompressedCertificate, IsSharedByThreads) {
  const auto server = server_with(good_identity());
  std::vector<std::jthread> threads;
  std::atomic<int> opened = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto client = client_trusting(authority().certificate_pem());
      for (int j = 0; j < 5; ++j) opened += join(*client, *server).client.open ? 1 : 0;
    });
  }
  threads.clear();
  EXPECT_EQ(opened, 20);
}

// --- resumption ----------------------------------------------------------------------------------

TEST(Resumption, HappensOnTheSecondConnection) {
  const auto client = client_trusting(authority().certificate_pem());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    BareServer server{good_identity(), version, version};
    EXPECT_FALSE(server.meet(*client, "hook.test").engine->session().resumed) << version;
    EXPECT_TRUE(server.meet(*client, "hook.test").engine->session().resumed) << version;
    client->state().forget_endpoint();
  }
}

TEST(Resumption, HappensBetweenOurOwnEnds) {
  const auto client = client_trusting(authority().certificate_pem());
  const auto server = server_with(good_identity());
  EXPECT_FALSE(join_and_answer(*client, *server).client.engine->session().resumed);
  for (int i = 0; i < 5; ++i)
    EXPECT_TRUE(join_and_answer(*client, *server).client.engine->session().resumed);
}

TEST(Resumption, UsesATicketOfTls13Once) {
  const auto client = client_trusting(authority().certificate_pem());
  const auto server = server_with(good_identity());
  for (int i = 0; i < 8; ++i) join_and_answer(*client, *server);
  int sessions = 0;
  while (client->state().take_session("hook.test", wall_now()) != nullptr) ++sessions;
  EXPECT_EQ(sessions, 4);  // Twelve or more were given to us.
}

TEST(Resumption, IsNotTriedWithAnotherHostOrAfterTheTicketsTime) {
  const auto client = client_trusting(authority().certificate_pem());
  const auto server = server_with(good_identity());
  join_and_answer(*client, *server);
  EXPECT_EQ(client->state().take_session("other.test", wall_now()), nullptr);
  EXPECT_EQ(client->state().take_session("hook.test", wall_now() + std::chrono::hours{24 * 30}),
            nullptr);
}

TEST(Resumption, IsNotSharedBetweenEndpoints) {
  const auto one = client_trusting("", false);
  const auto two = client_trusting("", false);
  const auto server = server_with(good_identity());
  join_and_answer(*one, *server);
  EXPECT_FALSE(join_and_answer(*two, *server).client.engine->session().resumed);
}

TEST(Resumption, FallsBackToAFullHandshakeWhenTheServerForgot) {
  const auto client = client_trusting(authority().certificate_pem());
  const TestIdentity identity = good_identity();
  join_and_answer(*client, *server_with(identity));
  const Pair second = join_and_answer(*client, *server_with(identity));  // New ticket keys.
  EXPECT_TRUE(second.client.open);
  EXPECT_FALSE(second.client.engine->session().resumed);
}

// --- contexts ------------------------------------------------------------------------------------

TEST(ClientTls, RefusesATextWithoutWholeCertificates) {
  const std::string good = authority().certificate_pem();
  std::string damaged = good;
  damaged[good.size() / 2] = '!';
  for (const std::string& pem :
       {std::string{"no certificate"}, std::string{"-----BEGIN CERTIFICATE-----\n"},
        good.substr(0, good.size() / 2), good + good.substr(0, good.size() / 2), damaged,
        good_identity().key_pem}) {
    const auto made = ClientTls::create({.ca_pem = pem});
    ASSERT_FALSE(made) << pem;
    EXPECT_EQ(made.error().code, Errc::malformed);
  }
}

TEST(ServerTls, RefusesAKeyOfAnotherCertificate) {
  const auto made = ServerTls::create(good_identity().certificate_pem, good_identity().key_pem);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::malformed);
  EXPECT_EQ(describe_tls(made.error()),
            "the certificate or the key is not PEM, or they do not belong together");
}

TEST(ServerTls, RefusesWhatItCannotRead) {
  const TestIdentity good = good_identity();
  EXPECT_FALSE(ServerTls::create("", good.key_pem));
  EXPECT_FALSE(ServerTls::create(good.certificate_pem, ""));
  EXPECT_FALSE(ServerTls::create(good.key_pem, good.certificate_pem));
  EXPECT_FALSE(
      ServerTls::create(good.certificate_pem + "-----BEGIN CERTIFICATE-----\nx", good.key_pem));
}

TEST(SystemRoots, AreTrustedWhereNothingElseIsNamed) {
  const auto made = ClientTls::create({});
  if (!made && made.error().code == Errc::not_found) GTEST_SKIP() << "no ca-certificates";
  ASSERT_TRUE(made);
  const auto server = server_with(good_identity());
  const Pair pair = join(**made, *server);  // Its root is not among the system's.
  ASSERT_TRUE(pair.client.failed);
  EXPECT_EQ(pair.client.engine->error().code, Errc::certificate_invalid);
}

TEST(SystemRoots, SayWhatIsMissing) {
  const auto loaded = load_roots("/nonexistent/roots.pem");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(describe_tls(loaded.error()),
            "no root certificates at /etc/ssl/certs/ca-certificates.crt: install the package "
            "ca-certificates, or name a CA");
}

}  // namespace
}  // namespace ringpost::net
