#include "net/http_client.h"

#include "net/stream_world.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// Goal: each request gets one answer, which says what the server said or what went wrong.
// Method: a real ring; the server is a stream that answers what the test tells it to.

namespace ringpost::net {
namespace {

using std::chrono::milliseconds;

/// Knows the addresses of one name.
class TableResolver final : public Resolver {
 public:
  std::vector<std::string> ips{"127.0.0.1"};
  bool silent = false;

  void poll() {
    if (query_ == nullptr || silent) return;
    Query& query = *std::exchange(query_, nullptr);
    if (!query.pending()) return;
    for (const std::string& ip : ips) query.addresses.push_back(*io::Address::parse_ip(ip, 0));
    if (ips.empty()) query.error = Error{Errc::name_unresolved, Side::operator_};
    query.complete();
  }

 private:
  void submit(Query& query, std::string_view, uint64_t) override {
    query.set_asked();
    query_ = &query;
  }

  Query* query_ = nullptr;
};

EgressPolicy loopback_policy() {
  std::string why;
  auto policy = EgressPolicy::create(
      {.allow_networks = {"127.0.0.0/8"}, .allow_plain_http_networks = {"127.0.0.0/8"}}, why);
  RINGPOST_ASSERT(policy);
  return std::move(*policy);
}

class HttpClientTest : public ::testing::Test {
 protected:
  explicit HttpClientTest(bool tls = false)
      : pair(tls),
        roots(tls ? std::move(*CommonRoots::create(pair.ca_pem)) : nullptr),
        client(*world.ring, resolver, policy, roots) {}
  ~HttpClientTest() override {
    client.stop();
    for (const auto& peer : peers) {
      if (peer->closes == 0) peer->close(false);
      EXPECT_TRUE(run_until([&] { return peer->closes > 0; }));
    }
    EXPECT_TRUE(run_until([&] { return client.idle(); }));
  }

  bool run_until(const std::function<bool()>& done) {
    return world.run_until([&] {
      resolver.poll();
      return done();
    });
  }

  ClientRequest request_for(const std::string& path, const char* scheme = "http") const {
    const std::string url =
        std::string{scheme} + "://hook.test:" + std::to_string(world.address.port) + path;
    return {.url = std::get<http::Url>(http::parse_url(url)), .headers = {}, .body = {}};
  }

  void send(ClientRequest&& request) {
    client.send(std::move(request), [this](ClientAnswer&& came) {
      ++answers;
      answer = std::move(came);
    });
  }

  /// Takes the next connection and waits until its request has come.
  Peer& serve() {
    EXPECT_TRUE(run_until([&] { return !world.accepted.empty(); }));
    Peer& peer = *peers.emplace_back(std::make_unique<Peer>(*world.ring));
    world.adopt(peer, pair.server.get());
    EXPECT_TRUE(run_until([&] { return peer.received.find("\r\n\r\n") != std::string::npos; }));
    return peer;
  }

  const ClientAnswer& wait() {
    EXPECT_TRUE(run_until([&] { return answers > 0; }));
    EXPECT_EQ(answers, 1);
    return answer;
  }

  World world;
  TlsPair pair;
  std::shared_ptr<CommonRoots> roots;
  TableResolver resolver;
  EgressPolicy policy = loopback_policy();
  HttpClient client;
  std::vector<std::unique_ptr<Peer>> peers;
  ClientAnswer answer;
  int answers = 0;
};

TEST_F(HttpClientTest, SendsWhatItIsGiven) {
  ClientRequest request = request_for("/hooks?page=2");
  request.method = "POST";
  request.headers = {{"Accept", "application/json"}};
  request.body = "{}";
  send(std::move(request));
  Peer& server = serve();
  ASSERT_TRUE(run_until([&] { return server.received.ends_with("{}"); }));
  EXPECT_TRUE(server.received.starts_with("POST /hooks?page=2 HTTP/1.1\r\n")) << server.received;
  for (const char* line : {"\r\nAccept: application/json\r\n", "\r\nContent-Length: 2\r\n",
                           "\r\nUser-Agent: ringpost/", "\r\nConnection: close\r\n"}) {
    EXPECT_NE(server.received.find(line), std::string::npos) << line;
  }
  server.send("HTTP/1.1 201 Created\r\nContent-Length: 4\r\nLink: <a>; rel=next\r\n\r\nbody");
  EXPECT_FALSE(wait().error);
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body, "body");
  EXPECT_EQ(answer.header("link"), "<a>; rel=next");
  EXPECT_EQ(answer.header("absent"), "");
  EXPECT_FALSE(answer.truncated);
}

TEST_F(HttpClientTest, DoesNotFollowRedirects) {
  send(request_for("/"));
  serve().send("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(wait().status, 302);
  EXPECT_FALSE(answer.success());
}

TEST_F(HttpClientTest, ReadsABodyThatEndsWithTheConnection) {
  send(request_for("/"));
  Peer& server = serve();
  server.send("HTTP/1.1 200 OK\r\n\r\nto the end");
  server.close(true);
  EXPECT_EQ(wait().body, "to the end");
}

TEST_F(HttpClientTest, KeepsNoMoreOfABodyThanItMay) {
  ClientRequest request = request_for("/");
  request.answer_bytes_max = 3;
  send(std::move(request));
  serve().send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789");
  EXPECT_EQ(wait().body, "012");
  EXPECT_TRUE(answer.truncated);
}

TEST_F(HttpClientTest, SaysThatTheServerSpeaksNoHttp) {
  send(request_for("/"));
  serve().send("SSH-2.0-OpenSSH\r\n\r\n");
  ASSERT_TRUE(wait().error);
  EXPECT_EQ(answer.error->code, Errc::malformed);
}

TEST_F(HttpClientTest, SaysThatTheServerClosed) {
  send(request_for("/"));
  serve().close(true);
  ASSERT_TRUE(wait().error);
  EXPECT_EQ(answer.error->code, Errc::closed);
}

TEST_F(HttpClientTest, WaitsNoLongerThanItMay) {
  ClientRequest request = request_for("/");
  request.timeout = milliseconds{50};
  send(std::move(request));
  serve();
  ASSERT_TRUE(wait().error);
  EXPECT_EQ(answer.error->code, Errc::timed_out);
}

TEST_F(HttpClientTest, WaitsNoLongerForAName) {
  resolver.silent = true;
  ClientRequest request = request_for("/");
  request.timeout = milliseconds{50};
  send(std::move(request));
  ASSERT_TRUE(wait().error);
  EXPECT_EQ(answer.error->code, Errc::name_timed_out);
}

TEST_F(HttpClientTest, SaysThatANameIsUnknown) {
  resolver.ips.clear();
  send(request_for("/"));
  ASSERT_TRUE(wait().error);
  EXPECT_EQ(answer.error->code, Errc::name_unresolved);
}

TEST_F(HttpClientTest, GoesOnlyWhereThePolicyAllows) {
  resolver.ips = {"10.0.0.1"};
  send(request_for("/"));
  ASSERT_TRUE(wait().error);
  EXPECT_EQ(answer.error->code, Errc::destination_denied);
}

TEST_F(HttpClientTest, TriesTheNextAddress) {
  resolver.ips = {"127.0.0.2", "127.0.0.1"};  // Nobody listens at the first.
  send(request_for("/"));
  serve().send("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(wait().status, 204);
}

TEST_F(HttpClientTest, TakesNoMoreThanItCanKeep) {
  resolver.silent = true;
  int refused = 0;
  for (uint32_t i = 0; i < HttpClient::requests_max + 1; ++i) {
    client.send(request_for("/"), [&](ClientAnswer&& came) {
      refused += came.error && came.error->code == Errc::overloaded ? 1 : 0;
    });
  }
  EXPECT_EQ(refused, 1);
  client.stop();  // While there is somebody to tell.
}

TEST_F(HttpClientTest, AnswersWhatIsUnderWayWhenItStops) {
  send(request_for("/"));
  serve();
  client.stop();
  ASSERT_TRUE(wait().error);
  EXPECT_EQ(answer.error->code, Errc::cancelled);
  answers = 0;
  send(request_for("/"));
  EXPECT_EQ(wait().error->code, Errc::cancelled);
}

class HttpsClientTest : public HttpClientTest {
 protected:
  HttpsClientTest() : HttpClientTest(true) {}
};

TEST_F(HttpsClientTest, SpeaksTls) {
  send(request_for("/", "https"));
  serve().send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(wait().body, "ok");
}

TEST_F(HttpsClientTest, TrustsTheRootsOfTheRelayAlone) {
  client.reconfigure(policy, nullptr);
  send(request_for("/", "https"));
  EXPECT_TRUE(run_until([&] { return !world.accepted.empty(); }));
  Peer& peer = *peers.emplace_back(std::make_unique<Peer>(*world.ring));
  world.adopt(peer, pair.server.get());
  ASSERT_TRUE(wait().error);
  EXPECT_EQ(answer.error->code, Errc::certificate_invalid);
}

}  // namespace
}  // namespace ringpost::net
