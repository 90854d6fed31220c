#include "io/engine.h"

#include "base/assert.h"
#include "io/epoll_ring.h"
#include "io/linux_ring.h"

#include <cerrno>
#include <utility>

namespace ringpost::io {

std::string_view to_text(Engine engine) {
  return engine == Engine::io_uring ? "io_uring" : "epoll";
}

std::optional<EngineChoice> parse_engine_choice(std::string_view text) {
  if (text == "auto") return EngineChoice::automatic;
  if (text == "io_uring") return EngineChoice::io_uring;
  if (text == "epoll") return EngineChoice::epoll;
  return std::nullopt;
}

EngineChoice choice_of(Engine engine) {
  return engine == Engine::io_uring ? EngineChoice::io_uring : EngineChoice::epoll;
}

bool refuses_for_good(int errno_value) {
  switch (errno_value) {
    case EPERM:   // A sysctl or a seccomp filter.
    case EACCES:  // A security module.
    case ENOSYS:  // A kernel without io_uring, or a seccomp filter that hides it.
    case EINVAL:  // A kernel before 6.1.
    case EOPNOTSUPP: return true;
    default: return false;
  }
}

namespace {

OpenedRing open_epoll_ring(FileUse files) {
  EpollRing::Options options;
  if (files == FileUse::none) options.file_threads = 0;
  auto ring = EpollRing::create(options);
  OpenedRing opened{.engine = Engine::epoll};
  if (!ring) {
    opened.problem = explain_epoll_failure(ring.error());
    return opened;
  }
  opened.features = (*ring)->features_text();
  opened.ring = std::move(*ring);
  return opened;
}

}  // namespace

OpenedRing open_ring(EngineChoice choice, FileUse files) {
  if (choice == EngineChoice::epoll) return open_epoll_ring(files);
  auto ring = LinuxRing::create({});
  if (ring) {
    std::string features = (*ring)->features_text();
    return {.ring = std::move(*ring), .features = std::move(features)};
  }
  std::string why = explain_setup_failure(ring.error());
  if (!refuses_for_good(ring.error().detail)) return {.problem = std::move(why)};
  if (choice == EngineChoice::automatic) {
    OpenedRing opened = open_epoll_ring(files);
    opened.remark = std::move(why);
    return opened;
  }
  return {.problem = why + R"(; or set server.engine to "auto" or "epoll" to run without it)"};
}

}  // namespace ringpost::io
