#pragma once

#include "base/assert.h"
#include "base/clock.h"
#include "base/intrusive_list.h"
#include "base/result.h"
#include "io/address.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringpost::net {

/// One question for the addresses of a host, embedded in the object that waits for the answer. May
/// not be destroyed while pending: take it back first.
class Query {
 public:
  Query() = default;
  Query(const Query&) = delete;  // Its address is known to the resolver.
  Query& operator=(const Query&) = delete;
  ~Query() { RINGPOST_ASSERT(!pending_); }

  bool pending() const { return pending_; }
  /// Whether it is known, or being asked, what the addresses are. If not, it waits for its turn:
  /// too many questions are open, and nothing is known about the name.
  bool asked() const { return asked_; }

  std::vector<io::Address> addresses;  ///< In order of preference, port 0. Empty if `error`.
  /// name_unresolved or name_timed_out; overloaded (of Side::self): it was never asked.
  std::optional<Error> error;

  // The rest is for implementations of Resolver.

  using Handler = void (*)(void* owner);

  void begin(void* owner, Handler handler) {
    RINGPOST_ASSERT(!pending_);
    owner_ = owner;
    handler_ = handler;
    pending_ = true;
    asked_ = false;
    addresses.clear();
    error.reset();
  }
  void set_asked() { asked_ = true; }
  /// Runs the handler; the query may no longer exist afterwards.
  void complete() {
    RINGPOST_ASSERT(pending_);
    pending_ = false;
    handler_(owner_);
  }
  void take_back() {
    link.unlink();
    deadline_link.unlink();
    pending_ = false;
  }

  ListLink link;           ///< Among those that wait for the same, or are ready to be told.
  ListLink deadline_link;  ///< Among all that wait.
  Instant deadline{};
  std::string host;  ///< While it waits for its turn.

 private:
  void* owner_ = nullptr;
  Handler handler_ = nullptr;
  bool pending_ = false;
  bool asked_ = false;
};

/// Names to addresses, for one shard. Nobody connects by name: the addresses that come from here
/// are checked by the EgressPolicy, and one of them is connected to, with no second look-up.
class Resolver {
 public:
  Resolver() = default;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  virtual ~Resolver() = default;

  /// Asks for the addresses of `host` (borrowed for the call): a name, or an IP address without
  /// brackets. `Handler` runs on `owner` exactly once, from the shard's loop and never inside this
  /// call, within 10 s.
  /// @param share  on whose account: questions that have to wait take turns by it.
  template <auto Handler, typename Owner>
  void resolve(Owner& owner, Query& query, std::string_view host, uint64_t share) {
    query.begin(&owner, [](void* self) { (static_cast<Owner*>(self)->*Handler)(); });
    submit(query, host, share);
  }

  /// Takes a pending query back: its handler does not run. One that is not pending is left alone.
  void cancel(Query& query) {
    if (query.pending()) query.take_back();
  }

 protected:
  virtual void submit(Query& query, std::string_view host, uint64_t share) = 0;
};

}  // namespace ringpost::net
