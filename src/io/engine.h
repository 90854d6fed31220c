#pragma once

#include "io/ring.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ringpost::io {

/// What a ring is made of.
enum class Engine : uint8_t { io_uring, epoll };

/// What is asked for. `automatic` is io_uring, or epoll where the system refuses io_uring for good:
/// the kernel lacks it or what we need of it, or a sysctl, a seccomp filter or a security module
/// forbids it. A shortage (memory, descriptors) stays an error: it can be mended.
enum class EngineChoice : uint8_t { automatic, io_uring, epoll };

/// `io_uring`, `epoll`.
std::string_view to_text(Engine engine);
/// Reads `auto`, `io_uring` and `epoll`.
std::optional<EngineChoice> parse_engine_choice(std::string_view text);

/// What asks for this engine and no other.
EngineChoice choice_of(Engine engine);

/// Whether io_uring_setup, or what follows it, says with this errno that trying again is useless.
bool refuses_for_good(int errno_value);

/// Threads that an epoll ring has for files.
inline constexpr uint32_t file_threads_of_ring = 4;

struct OpenedRing {
  std::unique_ptr<Ring> ring;  ///< Null: `problem` says why.
  Engine engine = Engine::io_uring;
  std::string features;  ///< One line for the log: the kernel and the sizes in use.
  std::string remark;    ///< Why epoll was taken, if io_uring would have been: one line.
  std::string problem;   ///< One line: what failed and how to mend it.
};

enum class FileUse : uint8_t {
  none,  ///< Ring::write and Ring::read are never called.
  write_and_read,
};

/// Makes the ring of the calling thread, of the default sizes.
OpenedRing open_ring(EngineChoice choice, FileUse files);

}  // namespace ringpost::io
