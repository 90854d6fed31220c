#pragma once

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/result.h"
#include "io/address.h"
#include "io/ring.h"
#include "net/fair_resolver.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace ringpost::net {

/// The process's one resolver thread: c-ares with a cache, asked by the shards over mailboxes. It
/// honours /etc/hosts and /etc/resolv.conf (read again when it changes). No thread exists before
/// the first question.
///
/// Outside of the simulated world: it reads the system's clock and owns real sockets.
///
/// Thread safety: all functions from any thread; each Channel belongs to one shard.
class NameService {
 public:
  struct Options {
    /// Name servers as `192.0.2.1:53,[2001:db8::1]:53`; empty for the system's.
    std::string servers;
    /// How long an answer is believed: its own time to live, within these bounds.
    Duration ttl_min = std::chrono::seconds{1};
    Duration ttl_max = std::chrono::seconds{300};
    /// How long "no such name" and silence are believed.
    Duration ttl_negative = std::chrono::seconds{5};
    /// How much longer an answer is used while its servers are silent or fail (RFC 8767, 5: one to
    /// three days). "No such name" is an answer.
    Duration stale_max = std::chrono::hours{24};
    /// How long they are waited for then (RFC 8767, 5: the client response timer).
    Duration stale_delay = std::chrono::milliseconds{500};
    /// How long they are not asked again then (RFC 8767, 5: the failure recheck timer).
    Duration stale_recheck = std::chrono::seconds{30};
    size_t cache_entries_max = 10'000;
    /// Wait for a server's first answer; doubled for each of the two further tries.
    Duration server_timeout = std::chrono::seconds{2};
    /// How long both kinds of addresses are waited for. Then each is asked for by itself: a server
    /// may drop one of the questions.
    Duration family_delay = std::chrono::milliseconds{100};
    /// What the other kind gets then, once one has come (RFC 8305, 3: "Resolution Delay").
    Duration resolution_delay = std::chrono::milliseconds{50};
  };

  struct Question {
    uint64_t id = 0;
    std::string host;
  };
  struct Answer {
    uint64_t id = 0;
    std::vector<io::Address> addresses;  ///< At least one, or an error.
    std::optional<Error> error;
  };

  /// A shard's line to the thread. Every question gets exactly one answer; the shard never has more
  /// than `questions_max` unanswered, so neither mailbox is ever full.
  class Channel {
   public:
    static constexpr size_t questions_max = FairResolver::questions_max;

    Mailbox<Question> questions{questions_max};
    Mailbox<Answer> answers{questions_max};

   private:
    friend class NameService;
    io::Waker* waker_ = nullptr;  // Guarded by the service's mutex; null when the shard has gone.
  };

  explicit NameService(Options options);
  ~NameService();  // Ends the thread. No shard may ask any more.

  /// Opens a line for a shard, whose ring `waker` wakes when an answer comes. The line lives as
  /// long as the service.
  Channel& attach(io::Waker& waker);
  /// The shard is about to go: it is not woken any more.
  void detach(Channel& channel);
  /// The shard has put questions into its mailbox. Starts the thread if need be.
  void ask();

 private:
  class Worker;

  /// Hands an answer to the shard and wakes it. On the thread.
  void answer(Channel& channel, Answer&& answer);
  /// All lines there are now. On the thread.
  std::vector<Channel*> channels();

  const Options options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Channel>> channels_;  // Guarded by mutex_.
  std::unique_ptr<Worker> worker_;                  // Guarded by mutex_ until it exists.
};

}  // namespace ringpost::net
