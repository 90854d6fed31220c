#include "cli/follow.h"

#include "cli/text.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

namespace ringpost::cli {
namespace {

/// How long to wait before the next connection.
class Pause {
 public:
  void reset() { next_ = first; }
  void wait() {
    std::this_thread::sleep_for(next_);
    next_ = std::min(next_ * 2, longest);
  }
  bool is_first() const { return next_ == first; }

 private:
  static constexpr std::chrono::milliseconds first{500};
  static constexpr std::chrono::milliseconds longest{15'000};
  std::chrono::milliseconds next_ = first;
};

bool may_pass(const Answer& refusal) {
  return refusal.status == 429 || refusal.status >= 500;
}

}  // namespace

int follow_stream(Session& session, const std::string& target, const StreamUse& use) {
  EventStreamReader reader{use.bytes_max};
  Pause pause;
  bool connected = false;  // Once, at least: from then on a failure passes.
  while (true) {
    const auto followed = session.follow(target, reader.last_id(), [&](std::string_view bytes) {
      use.on_begin();
      return reader.feed(bytes, use.take);
    });
    if (!followed) return session.failure_code();
    if (use.is_over()) return 0;
    if (followed->refusal && !(connected && may_pass(*followed->refusal))) {
      session.accept(*followed->refusal, target);
      return session.failure_code();
    }
    if (!followed->begun && !connected) return session.report_unreachable(followed->problem);
    if (followed->begun) {
      connected = true;
      pause.reset();
    }
    if (pause.is_first()) {
      std::fprintf(stderr, "ringpost: the connection has ended%s%s; connecting again\n",
                   followed->problem.empty() ? "" : ": ", shown(followed->problem).c_str());
    }
    reader.reset();
    pause.wait();
  }
}

}  // namespace ringpost::cli
