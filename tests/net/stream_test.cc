#include "net/stream.h"

#include "net/stream_world.h"
#include "net/tls_engine.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

// Goal: what one owner sends arrives at the other whole, in order and once, plain or sealed, and
// every stream ends with exactly the callbacks that its header promises.
// Method: both ends over one real ring on loopback; each test runs plain and with TLS where the two
// ought not to differ.

namespace ringpost::net {
namespace {

class AnyStream : public ::testing::TestWithParam<bool> {
 protected:
  World world;
  TlsPair tls{GetParam()};
  Peer client{*world.ring};
  Peer server{*world.ring};

  void join() {
    world.join(client, server, tls.client.get(), tls.server.get());
    ASSERT_TRUE(world.run_until([&] { return client.opens == 1 && server.opens == 1; }));
  }
};

INSTANTIATE_TEST_SUITE_P(Stream, AnyStream, ::testing::Bool(), [](const auto& param) {
  return param.param ? std::string{"Tls"} : std::string{"Plain"};
});

TEST_P(AnyStream, CarriesHeadAndBodyBothWays) {
  join();
  client.send("head;", "body");
  ASSERT_TRUE(world.run_until([&] { return server.received == "head;body"; }));
  server.send("answer");
  ASSERT_TRUE(world.run_until([&] { return client.received == "answer"; }));
  EXPECT_EQ(client.sents, 1);
  EXPECT_EQ(client.stream->queued_bytes(), 0u);
  EXPECT_TRUE(client.stream->open());
  EXPECT_EQ(client.stream->peer(), world.address);
  EXPECT_EQ(server.stream->peer().ip, world.address.ip);
  EXPECT_NE(server.stream->peer().port, 0);
  EXPECT_EQ(client.stream->tls_session().version, GetParam() ? 0x0304 : 0);
  world.close_all({&client, &server});
  EXPECT_EQ(client.ends + client.opens, 1);
}

TEST_P(AnyStream, CarriesLargeBodiesBothWaysAtOnce) {
  join();
  const std::string up = pattern(5'000'001);
  const std::string down = pattern(4'000'003);
  client.send("", up);
  server.send(down);
  ASSERT_TRUE(world.run_until([&] {
    return server.received.size() >= up.size() && client.received.size() >= down.size();
  }));
  EXPECT_TRUE(server.received == up);
  EXPECT_TRUE(client.received == down);
  ASSERT_TRUE(world.run_until([&] { return client.sents == 1 && server.sents == 1; }));
  EXPECT_EQ(client.stream->queued_bytes(), 0u);
  world.close_all({&client, &server});
}

TEST_P(AnyStream, CarriesEverySizeAroundARecord) {
  join();
  std::string sent;
  for (const size_t head : {0u, 1u, 300u, 16'383u, 16'384u, 16'385u, 40'000u}) {
    for (const size_t body : {0u, 1u, 16'084u, 16'384u, 33'000u}) {
      const std::string text = pattern(head + body);
      client.send(std::string_view{text}.substr(0, head), std::string_view{text}.substr(head));
      sent += text;
    }
  }
  ASSERT_TRUE(world.run_until([&] { return server.received.size() >= sent.size(); }));
  EXPECT_TRUE(server.received == sent);
  world.close_all({&client, &server});
}

TEST_P(AnyStream, KeepsTheOrderOfManySmallSends) {
  join();
  std::string sent;
  for (int i = 0; i < 500; ++i) {
    const std::string text = std::to_string(i) + ",";
    client.send(text);
    sent += text;
  }
  ASSERT_TRUE(world.run_until([&] { return server.received.size() >= sent.size(); }));
  EXPECT_EQ(server.received, sent);
  world.close_all({&client, &server});
}

TEST_P(AnyStream, SendsFromWithinEachCallback) {
  client.on_open = [&] { client.send("1"); };
  server.on_bytes = [&] { server.send(server.received == "1" ? "2" : "4"); };
  client.on_bytes = [&] {
    if (client.received == "2") client.send("3");
  };
  world.join(client, server, tls.client.get(), tls.server.get());
  ASSERT_TRUE(world.run_until([&] { return client.received == "24"; }));
  EXPECT_EQ(server.received, "13");
  world.close_all({&client, &server});
}

TEST_P(AnyStream, EndsCleanlyAfterAGracefulClose) {
  join();
  const std::string body = pattern(3'000'000);
  server.send("head", body);
  server.close(true);
  EXPECT_FALSE(server.stream->open());
  ASSERT_TRUE(world.run_until([&] { return client.ends == 1; }));
  EXPECT_TRUE(client.received == "head" + body);
  EXPECT_EQ(client.end_error, std::nullopt);
  EXPECT_EQ(server.closes, 0);  // Our end of stream is still to come.
  client.close(true);
  ASSERT_TRUE(world.run_until([&] { return client.closes == 1 && server.closes == 1; }));
  EXPECT_EQ(server.ends, 0);  // Not told after close.
}

TEST_P(AnyStream, AnswersBeforeItClosesOnAPeerThatStillSends) {
  // Method: closing with unread bytes makes the kernel send a reset, which would take the answer
  // away from the peer; draining must prevent that.
  join();
  server.on_bytes = [&] {
    server.on_bytes = nullptr;
    server.send("413");
    server.close(true);
  };
  client.send(pattern(2'000'000));
  ASSERT_TRUE(world.run_until([&] { return client.ends == 1; }));
  EXPECT_EQ(client.received, "413");
  EXPECT_EQ(client.end_error, std::nullopt);
  world.close_all({&client, &server});
}

TEST_P(AnyStream, ClosesAtOnceWhenAGracefulCloseIsHastened) {
  join();
  server.close(true);
  world.settle();
  EXPECT_EQ(server.closes, 0);  // The client has not ended.
  server.close(false);
  ASSERT_TRUE(world.run_until([&] { return server.closes == 1; }));
  world.close_all({&client});
}

TEST_P(AnyStream, HasItsBytesHeldBackWhilePaused) {
  join();
  server.pause();
  const std::string body = pattern(30'000'000);
  client.send(body);
  world.settle();
  EXPECT_EQ(server.received, "");
  EXPECT_GT(client.stream->queued_bytes(), 0u);  // The kernel's buffers are full.
  server.resume();
  ASSERT_TRUE(world.run_until([&] { return server.received.size() >= body.size(); }));
  EXPECT_TRUE(server.received == body);
  world.close_all({&client, &server});
}

TEST_P(AnyStream, OpensWhilePaused) {
  client.send("too early: nothing to send to yet");
  world.join(client, server, tls.client.get(), tls.server.get());
  client.pause();
  server.pause();
  ASSERT_TRUE(world.run_until([&] { return client.opens == 1 && server.opens == 1; }));
  client.send("request");
  world.settle();
  EXPECT_EQ(server.received, "");
  server.resume();
  ASSERT_TRUE(world.run_until([&] { return server.received == "request"; }));
  world.close_all({&client, &server});
}

TEST_P(AnyStream, MayPauseAndResumeAtEveryCallback) {
  join();
  server.on_bytes = [&] { server.pause(); };
  const std::string body = pattern(300'000);
  client.send(body);
  ASSERT_TRUE(world.run_until([&] {
    if (server.paused) server.resume();
    return server.received.size() >= body.size();
  }));
  EXPECT_TRUE(server.received == body);
  world.close_all({&client, &server});
}

TEST_P(AnyStream, MayPauseAndResumeWithinACallback) {
  join();
  server.on_bytes = [&] {
    server.pause();
    server.resume();
  };
  const std::string body = pattern(300'000);
  client.send(body);
  ASSERT_TRUE(world.run_until([&] { return server.received.size() >= body.size(); }));
  EXPECT_TRUE(server.received == body);
  world.close_all({&client, &server});
}

TEST_P(AnyStream, TellsOfTheEndBehindWhatAPauseHeldBack) {
  join();
  server.pause();
  client.send("last words");
  client.close(true);
  world.settle();
  EXPECT_EQ(server.ends, 0);
  server.resume();
  ASSERT_TRUE(world.run_until([&] { return server.ends == 1; }));
  EXPECT_EQ(server.received, "last words");
  EXPECT_EQ(server.end_error, std::nullopt);
  world.close_all({&client, &server});
}

TEST_P(AnyStream, MayBeClosedFromWithinEachCallback) {
  for (const bool graceful : {false, true}) {
    for (int which = 0; which < 4; ++which) {
      Peer here{*world.ring};
      Peer there{*world.ring};
      const auto act = [&] { there.close(graceful); };
      if (which == 0) there.on_open = act;
      if (which == 1) there.on_bytes = act;
      if (which == 2) there.on_sent = act;
      if (which == 3) there.on_end = act;
      there.destroy_when_closed = true;
      here.on_open = [&] { here.send("hello"); };
      here.on_bytes = [&] { here.close(true); };
      here.on_end = [&] { here.close(false); };
      world.join(here, there, tls.client.get(), tls.server.get());
      if (which >= 2) {
        ASSERT_TRUE(world.run_until([&] { return there.opens == 1; }));
        there.send("hello");
      }
      ASSERT_TRUE(world.run_until([&] { return there.closes == 1; })) << which;
      world.settle();
      EXPECT_EQ(there.closes, 1);
      EXPECT_LE(there.ends, 1);
      world.close_all({&here});
    }
  }
}

TEST_P(AnyStream, MayBeOpenedAgainFromWithinItsLastCallback) {
  join();
  client.on_closed = [&] {
    if (client.closes == 1) client.stream->connect(world.address, tls.client.get(), "hook.test");
  };
  client.close(false);
  Peer second{*world.ring};
  ASSERT_TRUE(world.run_until([&] { return !world.accepted.empty(); }));
  world.adopt(second, tls.server.get());
  ASSERT_TRUE(world.run_until([&] { return client.opens == 2; }));
  client.send("again");
  ASSERT_TRUE(world.run_until([&] { return second.received == "again"; }));
  world.close_all({&second, &server});
  client.close(false);
  ASSERT_TRUE(world.run_until([&] { return client.closes == 2; }));
}

TEST_P(AnyStream, ClosesInWhateverStateItIs) {
  // Method: close after so many turns, from connecting to long open; both ways of closing.
  for (const bool graceful : {false, true}) {
    for (int turns = 0; turns < 12; ++turns) {
      Peer here{*world.ring};
      Peer there{*world.ring};
      here.on_open = [&] { here.send("request"); };
      here.call([&] { here.stream->connect(world.address, tls.client.get(), "hook.test"); });
      for (int i = 0; i < turns; ++i) {
        world.ring->turn(false);
        if (!world.accepted.empty()) world.adopt(there, tls.server.get());
      }
      there.on_end = [&] { there.close(true); };
      here.close(graceful);
      here.close(graceful);
      EXPECT_EQ(here.closes, 0);
      ASSERT_TRUE(world.run_until([&] { return here.closes == 1; })) << turns;
      EXPECT_EQ(here.ends, 0);
      while (!world.accepted.empty()) world.adopt(there, tls.server.get());
      world.settle();
      there.close(false);
      world.settle();
      EXPECT_EQ(here.closes, 1);
    }
  }
}

TEST_P(AnyStream, ReportsARefusedConnection) {
  const io::Address nobody = *io::Address::parse("127.0.0.1:1");
  client.call([&] { client.stream->connect(nobody, tls.client.get(), "hook.test"); });
  ASSERT_TRUE(world.run_until([&] { return client.ends == 1; }));
  EXPECT_EQ(client.opens, 0);
  EXPECT_EQ(client.end_error->code, Errc::refused);
  EXPECT_EQ(client.end_error->side, Side::endpoint);
  client.close(true);
  ASSERT_TRUE(world.run_until([&] { return client.closes == 1; }));
}

// --- what only plain streams do ------------------------------------------------------------------

/// A socket without a ring, for what well-behaved ends do not do.
class RawSocket {
 public:
  explicit RawSocket(const io::Address& to) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to.port);
    std::memcpy(&address.sin_addr, to.ip.data(), 4);
    sockaddr generic;
    std::memcpy(&generic, &address, sizeof generic);
    RINGPOST_ASSERT(::connect(descriptor_, &generic, sizeof address) == 0);
  }
  ~RawSocket() { ::close(descriptor_); }

  void send(std::string_view text) const {
    RINGPOST_ASSERT(::send(descriptor_, text.data(), text.size(), 0) ==
                    static_cast<ssize_t>(text.size()));
  }
  void end() const { ::shutdown(descriptor_, SHUT_WR); }
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(descriptor_);
    descriptor_ = ::socket(AF_INET, SOCK_STREAM, 0);
  }
  std::string read_all() const {
    std::string text;
    char bytes[4096];
    ssize_t count = 0;
    while ((count = ::recv(descriptor_, bytes, sizeof bytes, 0)) > 0) {
      text.append(bytes, static_cast<size_t>(count));
    }
    return text;
  }

 private:
  int descriptor_;
};

TEST(PlainStream, AnswersAPeerThatHasEndedItsSide) {
  World world;
  Peer server{*world.ring};
  server.on_end = [&] {
    server.send("late answer");
    server.close(true);
  };
  RawSocket raw{world.address};
  raw.send("request");
  raw.end();
  ASSERT_TRUE(world.run_until([&] { return !world.accepted.empty(); }));
  world.adopt(server, nullptr);
  ASSERT_TRUE(world.run_until([&] { return server.closes == 1; }));
  EXPECT_EQ(server.received, "request");
  EXPECT_EQ(server.end_error, std::nullopt);
  EXPECT_EQ(raw.read_all(), "late answer");
}

TEST(PlainStream, ReportsAReset) {
  World world;
  Peer server{*world.ring};
  RawSocket raw{world.address};
  ASSERT_TRUE(world.run_until([&] { return !world.accepted.empty(); }));
  world.adopt(server, nullptr);
  ASSERT_TRUE(world.run_until([&] { return server.opens == 1; }));
  raw.reset();
  ASSERT_TRUE(world.run_until([&] { return server.ends == 1; }));
  ASSERT_TRUE(server.end_error.has_value());
  EXPECT_EQ(server.end_error->code, Errc::reset);
  EXPECT_EQ(server.end_error->side, Side::producer);
  server.send("into the void");
  world.close_all({&server});
  EXPECT_EQ(server.sents, 0);
}

TEST(PlainStream, ReportsAResetWhileItSends) {
  World world;
  Peer server{*world.ring};
  RawSocket raw{world.address};
  ASSERT_TRUE(world.run_until([&] { return !world.accepted.empty(); }));
  world.adopt(server, nullptr);
  ASSERT_TRUE(world.run_until([&] { return server.opens == 1; }));
  server.send(pattern(20'000'000));
  world.settle();
  raw.reset();
  // The kernel may give the error to the send, and an end of stream to the receive.
  ASSERT_TRUE(world.run_until([&] { return server.end_error.has_value(); }));
  EXPECT_LE(server.ends, 2);
  world.close_all({&server});
  EXPECT_EQ(server.sents, 0);
}

TEST(PlainStream, SaysItIsOpenAlthoughThePeerSaysNothing) {
  World world;
  Peer server{*world.ring};
  RawSocket raw{world.address};
  ASSERT_TRUE(world.run_until([&] { return !world.accepted.empty(); }));
  world.adopt(server, nullptr);
  EXPECT_TRUE(server.stream->open());
  EXPECT_EQ(server.opens, 0);
  ASSERT_TRUE(world.run_until([&] { return server.opens == 1; }));
  world.close_all({&server});
}

// --- what only TLS does --------------------------------------------------------------------------

TEST(TlsStream, ResumesOnTheSecondConnection) {
  World world;
  TlsPair tls;
  for (const bool again : {false, true, true}) {
    Peer client{*world.ring};
    Peer server{*world.ring};
    server.on_bytes = [&] { server.send("answer"); };
    client.on_open = [&] { client.send("request"); };
    world.join(client, server, tls.client.get(), tls.server.get());
    ASSERT_TRUE(world.run_until([&] { return client.received == "answer"; }));
    EXPECT_EQ(client.stream->tls_session().resumed, again);
    EXPECT_EQ(server.stream->tls_session().resumed, again);
    world.close_all({&client, &server});
  }
}

TEST(TlsStream, VerifiesAnAddressInTheCertificate) {
  World world;
  TlsPair tls;
  Peer client{*world.ring};
  Peer server{*world.ring};
  world.join(client, server, tls.client.get(), tls.server.get(), "127.0.0.1");
  ASSERT_TRUE(world.run_until([&] { return client.opens == 1; }));
  world.close_all({&client, &server});
}

TEST(TlsStream, SendsNoByteOfARequestToTheWrongHost) {
  World world;
  TlsPair tls;
  Peer client{*world.ring};
  Peer server{*world.ring};
  client.on_open = [&] { client.send("secret"); };
  world.join(client, server, tls.client.get(), tls.server.get(), "bank.test");
  ASSERT_TRUE(world.run_until([&] { return client.ends == 1 && server.ends == 1; }));
  EXPECT_EQ(client.opens, 0);
  EXPECT_EQ(client.end_error->code, Errc::certificate_invalid);
  EXPECT_EQ(describe_tls(*client.end_error), "certificate is for another host");
  EXPECT_EQ(server.received, "");
  EXPECT_EQ(server.end_error->code, Errc::tls_failed);
  EXPECT_EQ(server.end_error->side, Side::producer);
  world.close_all({&client, &server});
}

TEST(TlsStream, ReportsANameThatNoCertificateCanCarryFromTheLoop) {
  World world;
  TlsPair tls;
  Peer client{*world.ring};
  client.call([&] { client.stream->connect(world.address, tls.client.get(), ""); });
  ASSERT_TRUE(world.run_until([&] { return client.ends == 1; }));
  EXPECT_EQ(client.end_error->code, Errc::malformed);
  EXPECT_TRUE(world.accepted.empty());
  world.close_all({&client});
}

TEST(TlsStream, TellsATruncatedStreamFromAnEndedOne) {
  World world;
  TlsPair tls;
  Peer client{*world.ring};
  Peer server{*world.ring};
  world.join(client, server, tls.client.get(), tls.server.get());
  ASSERT_TRUE(world.run_until([&] { return client.opens == 1 && server.opens == 1; }));
  server.send("half an ans");
  ASSERT_TRUE(world.run_until([&] { return server.sents == 1; }));
  server.close(false);  // No close notice.
  ASSERT_TRUE(world.run_until([&] { return client.ends == 1; }));
  EXPECT_EQ(client.received, "half an ans");
  EXPECT_EQ(client.end_error, (Error{Errc::closed, Side::endpoint}));
  world.close_all({&client, &server});
}

TEST(TlsStream, ReportsAPeerThatHangsUpDuringTheHandshake) {
  World world;
  TlsPair tls;
  Peer client{*world.ring};
  Peer server{*world.ring};
  world.join(client, server, tls.client.get(), nullptr);
  server.on_bytes = [&] { server.close(true); };
  client.on_end = [&] { client.close(true); };
  ASSERT_TRUE(world.run_until([&] { return client.closes == 1; }));
  EXPECT_EQ(client.end_error->code, Errc::closed);
  EXPECT_EQ(client.opens, 0);
  world.close_all({&server});
}

TEST(TlsStream, RefusesAClientThatSpeaksPlainHttp) {
  World world;
  TlsPair tls;
  Peer server{*world.ring};
  RawSocket raw{world.address};
  raw.send("POST /v1/events HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(world.run_until([&] { return !world.accepted.empty(); }));
  world.adopt(server, tls.server.get());
  ASSERT_TRUE(world.run_until([&] { return server.ends == 1; }));
  EXPECT_EQ(describe_tls(*server.end_error), "TLS failed: peer does not use TLS on this port");
  EXPECT_EQ(server.opens, 0);
  world.close_all({&server});
}

/// Carries sealed bytes between an engine and a plain stream in pieces: each arrives by itself.
struct CuttingClient {
  Peer peer;
  std::unique_ptr<TlsEngine> engine;
  const io::Ring* clock;
  size_t piece;
  std::string waiting;  ///< Sealed, to be sent piece by piece.
  std::string received;
  bool open = false;

  CuttingClient(World& world, ClientTls& tls, size_t piece_size)
      : peer(*world.ring),
        engine(std::move(TlsEngine::for_client(tls, "hook.test", world.ring->wall_now())).value()),
        clock(world.ring.get()),
        piece(piece_size) {
    peer.on_open = [this] { take({}); };
    peer.on_bytes = [this] { take(std::exchange(peer.received, {})); };
    peer.on_sent = [this] { send_piece(); };
  }

  void take(const std::string& sealed) {
    engine->lend(as_bytes(sealed), clock->wall_now());
    std::array<std::byte, 16'384> record;
    bool goes_on = true;
    while (goes_on) {
      size_t size = 0;
      const auto progress = open ? engine->read(record, size, waiting) : engine->handshake(waiting);
      goes_on = progress == TlsEngine::Progress::done;
      received += as_text({record.data(), size});
      if (goes_on && !open) {
        open = true;
        engine->write(as_bytes("a request in pieces"), waiting);
      }
    }
    send_piece();
  }

  void send_piece() {
    if (waiting.empty() || peer.stream->queued_bytes() > 0) return;
    const std::string first = waiting.substr(0, piece);
    waiting.erase(0, piece);
    peer.send(first);
  }
};

TEST(TlsStream, WorksWhereverThePacketsAreCut) {
  World world;
  TlsPair tls;
  for (const size_t piece : {1, 2, 3, 5, 6, 17, 100, 511, 1460}) {
    CuttingClient client{world, *tls.client, piece};
    Peer server{*world.ring};
    server.on_bytes = [&] {
      if (server.received == "a request in pieces") server.send("answer");
    };
    world.join(client.peer, server, nullptr, tls.server.get());
    ASSERT_TRUE(world.run_until([&] { return client.received == "answer"; })) << piece;
    world.close_all({&client.peer, &server});
  }
}

}  // namespace
}  // namespace ringpost::net
