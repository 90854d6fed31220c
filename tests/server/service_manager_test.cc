#include "server/service_manager.h"

#include "server/credentials.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Goal: what comes from a service manager's environment is taken if it is for this process, and
// only then; a thread that hangs is noticed, however often the others turn. Whole exchanges:
// tests/e2e/systemd_test.py.

namespace ringpost::server {
namespace {

/// A variable for one test; whatever it was before is put back.
class Variable {
 public:
  Variable(std::string name, const std::string& value) : name_(std::move(name)) {
    const char* const old = std::getenv(name_.c_str());
    if (old != nullptr) old_ = old;
    setenv(name_.c_str(), value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { old_ ? setenv(name_.c_str(), old_->c_str(), 1) : unsetenv(name_.c_str()); }

 private:
  const std::string name_;
  std::optional<std::string> old_;
};

struct Turning {
  uint64_t turns = 0;
  int woken = 0;
  bool hangs = false;

  Watchdog::Thread thread(const std::string& name) {
    return {.name = name,
            .turns = [this] { return turns; },
            .wake =
                [this] {
                  ++woken;
                  if (!hangs) ++turns;
                }};
  }
};

TEST(Watchdog, NamesThreadsThatMadeNoTurnSinceTheLastLook) {
  Turning busy, idle;
  Watchdog watchdog({busy.thread("shard-0"), idle.thread("control")});
  busy.turns += 1000;
  EXPECT_EQ(watchdog.look(), std::vector<std::string>{});
  idle.hangs = true;
  EXPECT_EQ(watchdog.look(), std::vector<std::string>{});  // It answered the last wake.
  busy.turns += 1000;
  EXPECT_EQ(watchdog.look(), std::vector<std::string>{"control"});
  EXPECT_EQ(watchdog.look(), std::vector<std::string>{"control"});
  ++idle.turns;  // It goes on.
  EXPECT_EQ(watchdog.look(), std::vector<std::string>{});
}

TEST(Watchdog, WakesEachThreadOnceForEachLook) {
  Turning idle;
  Watchdog watchdog({idle.thread("control")});
  for (int look = 0; look < 5; ++look) watchdog.look();
  EXPECT_EQ(idle.woken, 6);
}

TEST(ServiceManager, WatchdogTimeIsReadStrictly) {
  const Variable socket("NOTIFY_SOCKET", "/nowhere");
  const std::map<std::string, std::optional<Duration>> cases{
      {"2000000", std::chrono::seconds{1}},
      {"1", Duration{500}},
      {"0", std::nullopt},
      {"", std::nullopt},
      {"-1", std::nullopt},
      {"1s", std::nullopt},
      {"99999999999999999999", std::nullopt},
      {"18446744073709551615", std::nullopt}};
  for (const auto& [text, interval] : cases) {
    const Variable time("WATCHDOG_USEC", text);
    EXPECT_EQ(ServiceManager{}.watchdog_interval(), interval) << text;
  }
  const Variable time("WATCHDOG_USEC", "2000000");
  const Variable others("WATCHDOG_PID", "1");
  EXPECT_FALSE(ServiceManager{}.watchdog_interval());
}

TEST(ServiceManager, WithoutOneNothingIsSentOrWatched) {
  const Variable none("NOTIFY_SOCKET", "");
  const Variable time("WATCHDOG_USEC", "2000000");
  const ServiceManager manager;
  EXPECT_EQ(manager.problem(), "");
  EXPECT_FALSE(manager.watchdog_interval());
  manager.ready("serving");
}

TEST(ServiceManager, AnAddressThatCannotBeReachedIsNamed) {
  for (const std::string& address : {std::string{"vsock:2:1234"}, "/" + std::string(108, 'x')}) {
    const Variable socket("NOTIFY_SOCKET", address);
    const ServiceManager manager;
    EXPECT_NE(manager.problem().find(address), std::string::npos);
    manager.ready("serving");
  }
}

TEST(Credentials, AreFilesOfTheirDirectory) {
  const Variable directory("CREDENTIALS_DIRECTORY", "/run/credentials/ringpost.service");
  std::string why;
  EXPECT_EQ(resolve_credential("@credential:tls.key", why),
            "/run/credentials/ringpost.service/tls.key");
  EXPECT_EQ(resolve_credential("/etc/tls.key", why), "/etc/tls.key");
  EXPECT_TRUE(is_credential("/run/credentials/ringpost.service/tls.key"));
  EXPECT_FALSE(is_credential("/run/credentials/ringpost.service/a/tls.key"));
  EXPECT_FALSE(is_credential("/run/credentials/tls.key"));
  for (const char* name : {"", ".", "..", "a/b", "/etc/passwd"}) {
    EXPECT_FALSE(resolve_credential("@credential:" + std::string{name}, why)) << name;
    EXPECT_NE(why.find("without slashes"), std::string::npos);
  }
}

TEST(Credentials, WithoutADirectoryTheErrorSaysWhatToAdd) {
  const Variable none("CREDENTIALS_DIRECTORY", "");
  std::string why;
  EXPECT_FALSE(resolve_credential("@credential:tls.key", why));
  EXPECT_NE(why.find("LoadCredential=tls.key:FILE"), std::string::npos);
  EXPECT_FALSE(is_credential("/tls.key"));
}

}  // namespace
}  // namespace ringpost::server
