#include "net/stream_world.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <random>
#include <string>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

// Goal: the other large TLS library understands us, on both sides and in both versions.
// Method: the openssl program as server (it sends each line back reversed) and as client. Where it
// is not installed the tests are skipped.

namespace ringpost::net {
namespace {

/// A directory that goes with the test.
class Scratch {
 public:
  Scratch() {
    std::string name = std::filesystem::temp_directory_path() / "ringpost-net-XXXXXX";
    RINGPOST_ASSERT(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream{path_ / name} << content;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// A child process with our end of its standard input; its output is thrown away.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    int ends[2];
    RINGPOST_ASSERT(::pipe(ends) == 0);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    process_ = ::fork();
    RINGPOST_ASSERT(process_ >= 0);
    if (process_ == 0) {
      ::dup2(ends[0], STDIN_FILENO);
      ::close(ends[1]);
      if (std::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(126);
      if (std::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(126);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(ends[0]);
    input_ = ends[1];
  }
  ~Program() {
    ::close(input_);
    ::kill(process_, SIGKILL);
    int status = 0;
    ::waitpid(process_, &status, 0);
  }
  void type(std::string_view text) const {
    RINGPOST_ASSERT(::write(input_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }

 private:
  pid_t process_ = -1;
  int input_ = -1;
};

/// A port that nothing listens on, below those that the kernel hands out.
uint16_t free_port() {
  std::random_device random;
  std::uniform_int_distribution<uint16_t> ports{10'000, 32'767};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr generic;
  while (true) {
    const uint16_t port = ports(random);
    address.sin_port = htons(port);
    std::memcpy(&generic, &address, sizeof generic);
    const int probe = ::socket(AF_INET, SOCK_STREAM, 0);
    const bool is_free = ::bind(probe, &generic, sizeof address) == 0;
    ::close(probe);
    if (is_free) return port;
  }
}

class Openssl : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (std::system("command -v openssl >/dev/null") != 0) GTEST_SKIP() << "no openssl program";
    certificate = scratch.write("certificate.pem", tls.identity.certificate_pem);
    key = scratch.write("key.pem", tls.identity.key_pem);
    authority = scratch.write("authority.pem", tls.ca_pem);
  }
  std::string version_text() const {
    return std::string_view{GetParam()} == "-tls1_3" ? "TLSv1.3" : "TLSv1.2";
  }

  Scratch scratch;
  TlsPair tls;
  World world;
  std::string certificate;
  std::string key;
  std::string authority;
};

INSTANTIATE_TEST_SUITE_P(Versions, Openssl, ::testing::Values("-tls1_2", "-tls1_3"));

TEST_P(Openssl, AnswersOurClientAndResumes) {
  const uint16_t port = free_port();
  const std::string endpoint = "127.0.0.1:" + std::to_string(port);
  const Program server{{"openssl", "s_server", "-accept", endpoint, "-cert", certificate, "-key",
                        key, GetParam(), "-rev"}};
  for (const bool again : {false, true}) {
    Peer client{*world.ring};
    client.on_open = [&] { client.send("hook", "ed\n"); };
    client.on_end = [&] { client.close(false); };
    client.on_closed = [&] {  // It takes a while to listen.
      if (client.opens > 0 || client.closes > 500) return;
      ::usleep(10'000);
      client.stream->connect(*io::Address::parse(endpoint), tls.client.get(), "hook.test");
    };
    client.call([&] {
      client.stream->connect(*io::Address::parse(endpoint), tls.client.get(), "hook.test");
    });
    ASSERT_TRUE(world.run_until([&] { return client.received == "dekooh\n"; }))
        << client.received << (client.end_error ? describe_tls(*client.end_error) : "");
    EXPECT_EQ(tls_version_name(client.stream->tls_session().version), version_text());
    EXPECT_EQ(client.stream->tls_session().resumed, again);
    client.close(true);
    const int closes = client.closes;
    ASSERT_TRUE(world.run_until([&] { return client.closes > closes; }));
  }
}

TEST_P(Openssl, IsShownOurCertificateIfItAsks) {
  const ringpost::testing::TestAuthority clients{"clients"};
  const ringpost::testing::TestIdentity identity =
      clients.issue({.common_name = "sidecar", .purpose = 0});
  const std::string trusted = scratch.write("clients.pem", clients.certificate_pem());
  const uint16_t port = free_port();
  const std::string endpoint = "127.0.0.1:" + std::to_string(port);
  const Program server{{"openssl", "s_server", "-accept", endpoint, "-cert", certificate, "-key",
                        key, GetParam(), "-rev", "-Verify", "1", "-verify_return_error", "-CAfile",
                        trusted}};
  const auto made = ClientTls::create({.ca_pem = tls.ca_pem,
                                       .certificate_pem = identity.certificate_pem,
                                       .key_pem = identity.key_pem});
  ASSERT_TRUE(made);
  for (ClientTls* ours : {made->get(), tls.client.get()}) {
    Peer client{*world.ring};
    const auto connect = [&] {
      client.stream->connect(*io::Address::parse(endpoint), ours, "hook.test");
    };
    const bool shows = ours == made->get();
    client.on_open = [&] { client.send("hook", "ed\n"); };
    client.on_end = [&] { client.close(false); };
    client.on_closed = [&] {  // It takes a while to listen.
      if (client.opens > 0 || client.closes > 500 || !shows) return;
      ::usleep(10'000);
      connect();
    };
    client.call(connect);
    ASSERT_TRUE(world.run_until([&] { return !client.received.empty() || client.ends > 0; }));
    if (shows) {
      ASSERT_TRUE(world.run_until([&] { return client.received == "dekooh\n"; }));
    }
    EXPECT_EQ(client.received.empty(), !shows);
    const int closes = client.closes;
    if (shows) client.close(true);
    ASSERT_TRUE(world.run_until([&] { return client.closes > (shows ? closes : 0); }));
  }
  EXPECT_EQ(ClientTls::create({.ca_pem = tls.ca_pem,
                               .certificate_pem = identity.certificate_pem,
                               .key_pem = tls.identity.key_pem})
                .error()
                .code,
            Errc::malformed);
}

TEST_P(Openssl, IsAnsweredByOurServer) {
  const Program client{{"openssl", "s_client", "-connect", world.address.to_text(), "-servername",
                        "hook.test", "-verify_hostname", "hook.test", "-verify_return_error",
                        "-CAfile", authority, "-alpn", "http/1.1", GetParam(), "-quiet"}};
  ASSERT_TRUE(world.run_until([&] { return !world.accepted.empty(); }));
  Peer server{*world.ring};
  world.adopt(server, tls.server.get());
  ASSERT_TRUE(world.run_until([&] { return server.opens == 1; }));
  EXPECT_EQ(tls_version_name(server.stream->tls_session().version), version_text());
  client.type("a request\n");
  ASSERT_TRUE(world.run_until([&] { return server.received == "a request\n"; }));
  server.send("an answer");
  server.close(true);
  ASSERT_TRUE(world.run_until([&] { return server.closes == 1; }));
}

TEST_P(Openssl, IsRefusedWhenItOffersAnotherProtocolOnly) {
  const Program client{{"openssl", "s_client", "-connect", world.address.to_text(), "-alpn", "h2",
                        GetParam(), "-quiet"}};
  ASSERT_TRUE(world.run_until([&] { return !world.accepted.empty(); }));
  Peer server{*world.ring};
  world.adopt(server, tls.server.get());
  ASSERT_TRUE(world.run_until([&] { return server.ends == 1; }));
  EXPECT_EQ(server.opens, 0);
  EXPECT_EQ(server.end_error->code, Errc::tls_failed);
  world.close_all({&server});
}

}  // namespace
}  // namespace ringpost::net
