// What TLS and signatures cost: sealing alone, a request's way through two connections, and whole
// handshakes with both ends in one thread. The reference of each is the same work with another
// BoringSSL (-Dboringssl=system), in alternating runs. Nothing here is timed as a test.

#include "base/assert.h"
#include "crypto/hmac.h"
#include "net/tls_context.h"
#include "net/tls_engine.h"
#include "net/tls_library.h"
#include "tests/net/test_certificates.h"

#include <benchmark/benchmark.h>
#include <openssl/aead.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ringpost::net {
namespace {

constexpr size_t request_size = 1350;

WallTime wall_now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

void aes_128_gcm(benchmark::State& state) {
  const std::array<uint8_t, 16> key{};
  const std::array<uint8_t, 12> nonce{};
  const bssl::UniquePtr<EVP_AEAD_CTX> context{
      EVP_AEAD_CTX_new(EVP_aead_aes_128_gcm(), key.data(), key.size(), 16)};
  const std::vector<uint8_t> plain(static_cast<size_t>(state.range(0)));
  std::vector<uint8_t> sealed(plain.size() + 16);
  size_t size = 0;
  for (auto _ : state) {
    const int done =
        EVP_AEAD_CTX_seal(context.get(), sealed.data(), &size, sealed.size(), nonce.data(),
                          nonce.size(), plain.data(), plain.size(), nullptr, 0);
    if (done != 1) state.SkipWithError("not sealed");
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(aes_128_gcm)->Arg(request_size)->Arg(16'384);

void hmac_sha256(benchmark::State& state) {
  const crypto::HmacSha256Key key{as_bytes("a secret of some length")};
  const std::string message(1024, 'x');
  for (auto _ : state) benchmark::DoNotOptimize(key.sign(as_bytes(message)));
}
BENCHMARK(hmac_sha256);

/// Both ends of a connection, joined by strings.
struct Connection {
  std::unique_ptr<TlsEngine> client;
  std::unique_ptr<TlsEngine> server;
  std::string to_client;
  std::string to_server;
  size_t hello_size = 0;

  void shake_hands(WallTime now) {
    client->handshake(to_server);
    hello_size = to_server.size();
    bool done = false;
    for (int flight = 0; flight < 8 && !done; ++flight) {
      give(*server, to_server, to_client, now);
      done = give(*client, to_client, to_server, now) && to_server.empty();
    }
  }

  static bool give(TlsEngine& engine, std::string& from, std::string& out, WallTime now) {
    const std::string bytes = std::exchange(from, {});
    engine.lend(as_bytes(bytes), now);
    const bool done = engine.handshake(out) == TlsEngine::Progress::done;
    engine.take_rest();
    return done;
  }
};

struct Ends {
  testing::TestAuthority authority;
  std::unique_ptr<ServerTls> server;
  WallTime now = wall_now();

  Ends() {
    const auto identity = authority.issue({.dns_names = {"hook.test"}});
    server = std::move(ServerTls::create(identity.certificate_pem, identity.key_pem)).value();
  }
  std::unique_ptr<ClientTls> client() const {
    return std::move(ClientTls::create({.ca_pem = authority.certificate_pem()})).value();
  }
  Connection connect(ClientTls& client) const {
    Connection made{.client = std::move(TlsEngine::for_client(client, "hook.test", now)).value(),
                    .server = TlsEngine::for_server(*server, now)};
    made.shake_hands(now);
    RINGPOST_ASSERT(made.client->session());
    return made;
  }
};

/// A whole handshake of TLS 1.3, both ends; no tickets are kept.
/// @param groups  what the server takes.
void handshake(benchmark::State& state, const char* groups, bool remembers) {
  const Ends ends;
  if (!offer_groups(ends.server->state().context.get(), groups)) {
    return state.SkipWithError("this BoringSSL does not know the group");
  }
  const auto client = ends.client();
  size_t hello_size = 0;
  for (auto _ : state) {
    if (!remembers) client->state().forget_endpoint();
    hello_size = ends.connect(*client).hello_size;
  }
  state.counters["hello_bytes"] = static_cast<double>(hello_size);
}
BENCHMARK_CAPTURE(handshake, x25519_unknown, "X25519", false);
BENCHMARK_CAPTURE(handshake, x25519_remembered, "X25519", true);
BENCHMARK_CAPTURE(handshake, p256_unknown, "P-256", false);
BENCHMARK_CAPTURE(handshake, p256_remembered, "P-256", true);
BENCHMARK_CAPTURE(handshake, x25519mlkem768_unknown, "X25519MLKEM768", false);
BENCHMARK_CAPTURE(handshake, x25519mlkem768_remembered, "X25519MLKEM768", true);

/// SSL_write at one end and SSL_read at the other, of one request.
void write_and_read(benchmark::State& state) {
  const Ends ends;
  const auto client = ends.client();
  Connection connection = ends.connect(*client);
  const std::string request(request_size, 'x');
  std::vector<std::byte> plain(16'384);
  std::string sealed;
  for (auto _ : state) {
    sealed.clear();
    connection.client->write(as_bytes(request), sealed);
    connection.server->lend(as_bytes(sealed), ends.now);
    size_t size = 0;
    if (connection.server->read(plain, size, connection.to_client) != TlsEngine::Progress::done ||
        size != request_size) {
      state.SkipWithError("not read");
    }
    connection.server->take_rest();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(request_size));
}
BENCHMARK(write_and_read);

}  // namespace
}  // namespace ringpost::net
