#include "io/engine.h"

#include "forbidden_calls.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace ringpost::io {
namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

bool is_one_line(const std::string& text) {
  return !text.empty() && !contains(text, "\n");
}

TEST(Engine, ReadsWhatAConfigurationSays) {
  EXPECT_EQ(parse_engine_choice("auto"), EngineChoice::automatic);
  EXPECT_EQ(parse_engine_choice("io_uring"), EngineChoice::io_uring);
  EXPECT_EQ(parse_engine_choice("epoll"), EngineChoice::epoll);
  EXPECT_EQ(parse_engine_choice("Auto"), std::nullopt);
  EXPECT_EQ(parse_engine_choice(""), std::nullopt);
  EXPECT_EQ(to_text(Engine::io_uring), "io_uring");
  EXPECT_EQ(to_text(Engine::epoll), "epoll");
}

TEST(Engine, OpensWhatIsAskedFor) {
  for (const EngineChoice choice : {EngineChoice::automatic, EngineChoice::io_uring}) {
    const OpenedRing opened = open_ring(choice, FileUse::none);
    ASSERT_NE(opened.ring, nullptr) << opened.problem;
    EXPECT_EQ(opened.engine, Engine::io_uring);
    EXPECT_TRUE(contains(opened.features, "io_uring with")) << opened.features;
    EXPECT_EQ(opened.remark, "");
  }
  const OpenedRing opened = open_ring(EngineChoice::epoll, FileUse::write_and_read);
  ASSERT_NE(opened.ring, nullptr) << opened.problem;
  EXPECT_EQ(opened.engine, Engine::epoll);
  EXPECT_TRUE(contains(opened.features, "epoll with 4 threads")) << opened.features;
  EXPECT_TRUE(is_one_line(opened.features));
  EXPECT_EQ(opened.remark, "") << "it was asked for";
}

// Goal: `auto` runs where io_uring is refused for good, and says why; `io_uring` says how to.
TEST(Engine, TakesEpollWhereIoUringIsRefusedForGood) {
  for (const int errno_value : {EPERM, EACCES, ENOSYS, EINVAL, EOPNOTSUPP}) {
    EXPECT_TRUE(refuses_for_good(errno_value));
    const auto check = [] {
      const OpenedRing opened = open_ring(EngineChoice::automatic, FileUse::write_and_read);
      if (opened.ring == nullptr || opened.engine != Engine::epoll) return 1;
      if (!is_one_line(opened.remark)) return 2;
      if (!contains(opened.remark, "io_uring is not available: ")) return 3;
      const OpenedRing refused = open_ring(EngineChoice::io_uring, FileUse::none);
      if (refused.ring != nullptr || !is_one_line(refused.problem)) return 4;
      return contains(refused.problem, R"(set server.engine to "auto" or "epoll")") ? 0 : 5;
    };
    EXPECT_EQ(in_child_without({SYS_io_uring_setup}, errno_value, check), 0) << errno_value;
  }
}

// A profile may allow only some of the three calls.
TEST(Engine, FindsOutWhenItOpensARingThatItCannotBeUsed) {
  for (const uint32_t call : {SYS_io_uring_enter, SYS_io_uring_register}) {
    const auto check = [] {
      const OpenedRing opened = open_ring(EngineChoice::automatic, FileUse::none);
      return opened.ring != nullptr && opened.engine == Engine::epoll ? 0 : 1;
    };
    EXPECT_EQ(in_child_without({call}, EPERM, check), 0) << call;
  }
}

// Goal: a shortage is never hidden: with epoll it would come back later, and somewhere else.
TEST(Engine, NamesAShortageWhateverIsAskedFor) {
  for (const int errno_value : {ENOMEM, EMFILE, ENFILE, EAGAIN}) {
    EXPECT_FALSE(refuses_for_good(errno_value));
    const auto check = [] {
      for (const EngineChoice choice : {EngineChoice::automatic, EngineChoice::io_uring}) {
        const OpenedRing opened = open_ring(choice, FileUse::none);
        if (opened.ring != nullptr || !is_one_line(opened.problem)) return 1;
        if (!opened.remark.empty() || contains(opened.problem, "server.engine")) return 2;
      }
      return 0;
    };
    EXPECT_EQ(in_child_without({SYS_io_uring_setup}, errno_value, check), 0) << errno_value;
  }
}

TEST(Engine, SaysWhenEpollHasNoThreadOrDescriptor) {
  const auto says = [](std::string_view part) {
    return [part] {
      const OpenedRing opened = open_ring(EngineChoice::epoll, FileUse::write_and_read);
      if (opened.ring != nullptr || !is_one_line(opened.problem)) return 1;
      return contains(opened.problem, part) ? 0 : 2;
    };
  };
  EXPECT_EQ(in_child_without({SYS_clone, SYS_clone3}, EAGAIN, says("ulimit -u")), 0);
  EXPECT_EQ(in_child_without({SYS_epoll_create1}, EMFILE, says("LimitNOFILE")), 0);
  EXPECT_EQ(in_child_without({SYS_eventfd2}, EMFILE, says("LimitNOFILE")), 0);
  const auto needs_none = [] {
    return open_ring(EngineChoice::epoll, FileUse::none).ring != nullptr ? 0 : 1;
  };
  EXPECT_EQ(in_child_without({SYS_clone, SYS_clone3}, EAGAIN, needs_none), 0);
}

}  // namespace
}  // namespace ringpost::io
