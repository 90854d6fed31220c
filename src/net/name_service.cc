#include "net/name_service.h"

#include "base/assert.h"
#include "io/process.h"

#include <ares.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <map>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <unordered_map>
#include <utility>

namespace ringpost::net {
namespace {

using SystemClock = std::chrono::steady_clock;

constexpr size_t addresses_max = 16;  // Of one name: more are not tried within an attempt anyway.

/// Who waits for a name.
struct Asker {
  NameService::Channel* channel;
  uint64_t id;
};

std::optional<io::Address> to_address(const sockaddr* from) {
  io::Address address;
  if (from->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, from, sizeof in);
    std::memcpy(address.ip.data(), &in.sin_addr, sizeof in.sin_addr);
    return address;
  }
  if (from->sa_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, from, sizeof in);
    address.family = io::Address::Family::ipv6;
    address.scope = in.sin6_scope_id;
    std::memcpy(address.ip.data(), &in.sin6_addr, sizeof in.sin6_addr);
    return address;
  }
  return std::nullopt;
}

/// Whether this machine has a route there, which connecting a datagram socket tells without a
/// packet.
bool has_route(const io::Address& address) {
  const bool is_ipv4 = address.family == io::Address::Family::ipv4;
  const int socket = ::socket(is_ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return false;
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_in);
  if (is_ipv4) {
    sockaddr_in in{.sin_family = AF_INET, .sin_port = htons(443)};
    std::memcpy(&in.sin_addr, address.ip.data(), sizeof in.sin_addr);
    std::memcpy(&storage, &in, sizeof in);
  } else {
    sockaddr_in6 in{.sin6_family = AF_INET6, .sin6_port = htons(443)};
    std::memcpy(&in.sin6_addr, address.ip.data(), sizeof in.sin6_addr);
    std::memcpy(&storage, &in, sizeof in);
    size = sizeof in;
  }
  const bool connected = ::connect(socket, reinterpret_cast<const sockaddr*>(&storage), size) == 0;
  ::close(socket);
  return connected;
}

/// Of addresses that did not come in one answer, which the library would have sorted: IPv6 first,
/// but what no route leads to last.
int preference(const io::Address& address) {
  if (!has_route(address)) return 2;
  return address.family == io::Address::Family::ipv6 ? 0 : 1;
}

Error resolve_error(int status) {
  switch (status) {
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_EBADNAME: return {Errc::name_unresolved, Side::endpoint};
    case ARES_ETIMEOUT: return {Errc::name_timed_out, Side::operator_};
    case ARES_ENOMEM: return {Errc::overloaded, Side::self};
    default: return {Errc::name_unresolved, Side::operator_};  // The name servers failed.
  }
}

/// Whether it says something of the name, rather than of its servers.
bool is_authoritative(const Error& error) {
  return error.side == Side::endpoint;
}

}  // namespace

/// What lives on the thread.
class NameService::Worker {
 public:
  explicit Worker(NameService& service)
      : service_(service), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  /// @returns false if no thread, or no descriptor, is left for it now.
  bool start() {
    return wake_ >= 0 && io::start_thread(thread_, "names", [this] { run(); });
  }
  ~Worker() {
    stopping_.store(true, std::memory_order_release);  // Pairs with run().
    wake();
    if (thread_.joinable()) thread_.join();
    if (wake_ >= 0) ::close(wake_);
  }

  /// From any thread.
  void wake() const {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);  // Full is awake.
  }

 private:
  struct Entry {
    std::vector<io::Address> addresses;
    std::optional<Error> error;
    SystemClock::time_point expires;  ///< Then the servers are asked again.
    SystemClock::time_point stale{};  ///< Till then the addresses are better than nothing.
  };
  /// Those who wait for one name.
  struct Pending {
    uint64_t id = 0;
    std::vector<Asker> askers;
    Entry of_one_family;  ///< Once the families are asked for by themselves, and one has addresses.
  };
  /// One question to c-ares; its argument until it answers.
  struct Lookup {
    Worker* worker;
    uint64_t id;  ///< Of the Pending that it was asked for.
    std::string host;
    int family;  ///< AF_UNSPEC: both.
  };
  /// What is done for a name, unless it is settled before.
  struct Delay {
    enum class Then : uint8_t { ask_each_family, go_on_with_one, use_stale };
    Then then;
    uint64_t id;  ///< Of the Pending.
    std::string host;
  };

  void run();
  void open_channel();
  void close_channel();
  void follow_configuration();
  void wait();
  void take_questions();
  void look_up(const std::string& host, Asker asker);
  void ask(const std::string& host, uint64_t id, int family);
  void end_delays();
  void ask_each_family(const Delay& late);
  void delay(const std::string& host, uint64_t id, Duration time, Delay::Then then);
  const Entry* stale_entry(const std::string& host) const;
  Entry use_longer(const Entry& stale) const;
  void tell_stale(const std::string& host, Pending& pending);
  Pending* pending(const std::string& host, uint64_t id);
  int wait_ms() const;
  void take_answer(const Lookup& lookup, Entry&& entry);
  void take_one_family(Pending& pending, const Lookup& lookup, Entry&& entry);
  void settle(const std::string& host, const Entry& entry);
  void remember(const std::string& host, const Entry& entry);
  Entry entry_of(int status, const ares_addrinfo* result) const;
  static void tell(NameService& service, const Asker& asker, const Entry& entry);
  static void on_answer(void* lookup, int status, int timeouts, ares_addrinfo* result);
  static void on_socket(void* worker, ares_socket_t socket, int readable, int writable);

  NameService& service_;
  const int wake_;
  std::atomic<bool> stopping_{false};

  ares_channel ares_ = nullptr;
  timespec configuration_time_{};
  std::vector<pollfd> sockets_;  // c-ares's, as it tells us.
  std::unordered_map<std::string, Pending> pending_;
  std::multimap<SystemClock::time_point, Delay> delays_;
  uint64_t last_id_ = 0;
  std::unordered_map<std::string, Entry> cache_;

  std::thread thread_;  // Last: starts when all else is there.
};

void NameService::Worker::run() {
  ares_library_init(ARES_LIB_INIT_ALL);
  open_channel();
  while (!stopping_.load(std::memory_order_acquire)) {  // Pairs with ~Worker().
    take_questions();
    end_delays();
    wait();
  }
  close_channel();
  ares_library_cleanup();
}

void NameService::Worker::open_channel() {
  ares_options options{};
  options.timeout = static_cast<int>(
      std::chrono::duration_cast<std::chrono::milliseconds>(service_.options_.server_timeout)
          .count());
  options.tries = 3;
  options.sock_state_cb = on_socket;
  options.sock_state_cb_data = this;
  const int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  const int opened = ares_init_options(&ares_, &options, mask);
  RINGPOST_ASSERT(opened == ARES_SUCCESS);  // Fails for lack of memory only.
  if (!service_.options_.servers.empty()) {
    const int set = ares_set_servers_ports_csv(ares_, service_.options_.servers.c_str());
    RINGPOST_ASSERT(set == ARES_SUCCESS);
  }
}

void NameService::Worker::close_channel() {
  ares_destroy(ares_);
  ares_ = nullptr;
}

/// The library reads resolv.conf only when it starts; laptops and containers change it. Names that
/// wait are asked for again: their servers may be silent, and the others mean to help.
void NameService::Worker::follow_configuration() {
  struct stat status {};
  if (!service_.options_.servers.empty() || stat("/etc/resolv.conf", &status) != 0) return;
  const timespec changed = status.st_mtim;
  const timespec before = std::exchange(configuration_time_, changed);
  const bool same = changed.tv_sec == before.tv_sec && changed.tv_nsec == before.tv_nsec;
  if (same || before.tv_sec == 0) return;
  close_channel();
  open_channel();
  std::vector<std::pair<std::string, uint64_t>> waiting;
  for (const auto& [host, name] : pending_) waiting.emplace_back(host, name.id);
  for (const auto& [host, id] : waiting) {
    if (pending(host, id) != nullptr) ask(host, id, AF_UNSPEC);
  }
}

/// Until the library's next deadline or the end of the next delay; -1: for ever.
int NameService::Worker::wait_ms() const {
  using std::chrono::milliseconds;
  timeval next{};
  const timeval* const timeout = ares_timeout(ares_, nullptr, &next);
  int64_t wait = timeout == nullptr ? -1 : timeout->tv_sec * 1000 + timeout->tv_usec / 1000 + 1;
  if (!delays_.empty()) {
    const auto left = std::chrono::ceil<milliseconds>(delays_.begin()->first - SystemClock::now());
    const int64_t delay = std::max<int64_t>(left.count(), 0);
    wait = wait < 0 ? delay : std::min(wait, delay);
  }
  return static_cast<int>(wait);
}

/// Sleeps until a question, an answer or the next time at which there is something to do.
void NameService::Worker::wait() {
  const int timeout_ms = wait_ms();
  std::vector<pollfd> ready = sockets_;  // A copy: the library changes its sockets below.
  ready.push_back({.fd = wake_, .events = POLLIN});
  if (poll(ready.data(), ready.size(), timeout_ms) <= 0) {
    ares_process_fd(ares_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    return;
  }
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = ::read(wake_, &count, sizeof count);
  ready.pop_back();
  for (const pollfd& socket : ready) {
    const bool readable = (socket.revents & (POLLIN | POLLERR | POLLHUP)) != 0;
    const bool writable = (socket.revents & POLLOUT) != 0;
    ares_process_fd(ares_, readable ? socket.fd : ARES_SOCKET_BAD,
                    writable ? socket.fd : ARES_SOCKET_BAD);
  }
}

void NameService::Worker::on_socket(void* worker, ares_socket_t socket, int readable,
                                    int writable) {
  auto& sockets = static_cast<Worker*>(worker)->sockets_;
  std::erase_if(sockets, [&](const pollfd& entry) { return entry.fd == socket; });
  if (readable == 0 && writable == 0) return;
  const int events = (readable != 0 ? POLLIN : 0) | (writable != 0 ? POLLOUT : 0);
  sockets.push_back({.fd = socket, .events = static_cast<short>(events)});
}

void NameService::Worker::take_questions() {
  Question question;
  for (Channel* const channel : service_.channels()) {
    while (channel->questions.pop(question)) {
      look_up(question.host, {.channel = channel, .id = question.id});
    }
  }
}

void NameService::Worker::look_up(const std::string& host, Asker asker) {
  const auto cached = cache_.find(host);
  if (cached != cache_.end() && SystemClock::now() < cached->second.expires) {
    return tell(service_, asker, cached->second);
  }
  follow_configuration();
  const auto [pending, is_new] = pending_.try_emplace(host);
  pending->second.askers.push_back(asker);
  if (!is_new) return;  // Asked already.
  const uint64_t id = pending->second.id = ++last_id_;
  delay(host, id, service_.options_.family_delay, Delay::Then::ask_each_family);
  if (stale_entry(host) != nullptr) {
    delay(host, id, service_.options_.stale_delay, Delay::Then::use_stale);
  }
  ask(host, id, AF_UNSPEC);
}

void NameService::Worker::delay(const std::string& host, uint64_t id, Duration time,
                                Delay::Then then) {
  delays_.emplace(SystemClock::now() + time, Delay{then, id, host});
}

/// May settle the name at once.
void NameService::Worker::ask(const std::string& host, uint64_t id, int family) {
  ares_addrinfo_hints hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  ares_getaddrinfo(ares_, host.c_str(), nullptr, &hints, on_answer,
                   std::make_unique<Lookup>(Lookup{this, id, host, family}).release());
}

void NameService::Worker::end_delays() {
  while (!delays_.empty() && delays_.begin()->first <= SystemClock::now()) {
    const Delay late = std::move(delays_.extract(delays_.begin()).mapped());
    Pending* const waiting = pending(late.host, late.id);
    if (waiting == nullptr) continue;  // Settled meanwhile.
    switch (late.then) {
      case Delay::Then::ask_each_family: ask_each_family(late); break;
      case Delay::Then::go_on_with_one: settle(late.host, Entry{waiting->of_one_family}); break;
      case Delay::Then::use_stale: tell_stale(late.host, *waiting); break;
    }
  }
}

/// What is known of the name and may be used while its servers do not answer; null: nothing.
const NameService::Worker::Entry* NameService::Worker::stale_entry(const std::string& host) const {
  const auto cached = cache_.find(host);
  const bool usable = cached != cache_.end() && SystemClock::now() < cached->second.stale;
  return usable ? &cached->second : nullptr;
}

NameService::Worker::Entry NameService::Worker::use_longer(const Entry& stale) const {
  Entry longer = stale;
  longer.expires = std::min(SystemClock::now() + service_.options_.stale_recheck, stale.stale);
  return longer;
}

/// The servers are late: they may go on to answer, for the next askers.
void NameService::Worker::tell_stale(const std::string& host, Pending& pending) {
  const Entry* const stale = stale_entry(host);
  if (stale == nullptr) return;
  const Entry entry = use_longer(*stale);
  remember(host, entry);
  for (const Asker& asker : std::exchange(pending.askers, {})) tell(service_, asker, entry);
}

/// Where the answer with both families is late: one of the two questions may have been dropped.
void NameService::Worker::ask_each_family(const Delay& late) {
  for (const int family : {AF_INET6, AF_INET}) {
    if (pending(late.host, late.id) != nullptr) ask(late.host, late.id, family);
  }
}

NameService::Worker::Pending* NameService::Worker::pending(const std::string& host, uint64_t id) {
  const auto found = pending_.find(host);
  return found != pending_.end() && found->second.id == id ? &found->second : nullptr;
}

void NameService::Worker::on_answer(void* argument, int status, int /*timeouts*/,
                                    ares_addrinfo* result) {
  const std::unique_ptr<Lookup> lookup{static_cast<Lookup*>(argument)};
  if (status != ARES_EDESTRUCTION) {
    lookup->worker->take_answer(*lookup, lookup->worker->entry_of(status, result));
  }
  if (result != nullptr) ares_freeaddrinfo(result);
}

NameService::Worker::Entry NameService::Worker::entry_of(int status,
                                                         const ares_addrinfo* result) const {
  const Options& options = service_.options_;
  Entry entry;
  Duration ttl = options.ttl_max;
  if (status == ARES_SUCCESS && result != nullptr) {
    for (const auto* node = result->nodes; node != nullptr; node = node->ai_next) {
      ttl = std::min<Duration>(ttl, std::chrono::seconds{node->ai_ttl});
      const auto address = to_address(node->ai_addr);
      if (address && entry.addresses.size() < addresses_max) entry.addresses.push_back(*address);
    }
  }
  if (entry.addresses.empty()) {
    entry.error = resolve_error(status == ARES_SUCCESS ? ARES_ENODATA : status);
    ttl = options.ttl_negative;
  } else {
    ttl = std::max(ttl, options.ttl_min);
    entry.stale = SystemClock::now() + ttl + options.stale_max;
  }
  entry.expires = SystemClock::now() + ttl;
  return entry;
}

/// What comes with both families after the askers have got one is remembered for the next of them.
void NameService::Worker::take_answer(const Lookup& lookup, Entry&& entry) {
  Pending* const waiting = pending(lookup.host, lookup.id);
  if (waiting != nullptr && lookup.family != AF_UNSPEC) {
    take_one_family(*waiting, lookup, std::move(entry));
  } else if (waiting != nullptr) {
    settle(lookup.host, entry);
  } else if (lookup.family == AF_UNSPEC && !entry.error) {
    remember(lookup.host, entry);
  }
}

/// That one family has no addresses settles nothing: the answer with both will.
void NameService::Worker::take_one_family(Pending& pending, const Lookup& lookup, Entry&& entry) {
  if (entry.error) return;
  if (pending.of_one_family.addresses.empty()) {
    pending.of_one_family = std::move(entry);
    delays_.emplace(SystemClock::now() + service_.options_.resolution_delay,
                    Delay{Delay::Then::go_on_with_one, lookup.id, lookup.host});
    return;
  }
  Entry both = std::move(pending.of_one_family);
  both.expires = std::min(both.expires, entry.expires);
  both.stale = std::min(both.stale, entry.stale);
  both.addresses.insert(both.addresses.end(), entry.addresses.begin(), entry.addresses.end());
  std::ranges::stable_sort(both.addresses, {}, preference);
  settle(lookup.host, both);
}

/// Where the servers failed, what they answered before goes on being used.
void NameService::Worker::settle(const std::string& host, const Entry& answer) {
  const Entry* const stale = stale_entry(host);
  const bool failed = answer.error && !is_authoritative(*answer.error);
  const Entry entry = failed && stale != nullptr ? use_longer(*stale) : answer;
  remember(host, entry);
  const auto waiting = pending_.extract(host);
  if (waiting.empty()) return;
  for (const Asker& asker : waiting.mapped().askers) tell(service_, asker, entry);
}

void NameService::Worker::remember(const std::string& host, const Entry& entry) {
  const size_t most = service_.options_.cache_entries_max;
  if (const auto cached = cache_.find(host); cached != cache_.end()) {
    cached->second = entry;
    return;
  }
  const auto now = SystemClock::now();
  if (cache_.size() >= most) {
    std::erase_if(cache_, [&](const auto& item) { return item.second.expires <= now; });
  }
  // Still full of names that are good: any of them makes room.
  if (cache_.size() >= most) cache_.erase(cache_.begin());
  cache_.insert_or_assign(host, entry);
}

void NameService::Worker::tell(NameService& service, const Asker& asker, const Entry& entry) {
  service.answer(*asker.channel,
                 {.id = asker.id, .addresses = entry.addresses, .error = entry.error});
}

// --- the shards' side ----------------------------------------------------------------------------

NameService::NameService(Options options) : options_(std::move(options)) {
  RINGPOST_ASSERT(options_.cache_entries_max > 0);
}

NameService::~NameService() = default;

NameService::Channel& NameService::attach(io::Waker& waker) {
  const std::lock_guard lock{mutex_};
  auto& channel = *channels_.emplace_back(std::make_unique<Channel>());
  channel.waker_ = &waker;
  return channel;
}

void NameService::detach(Channel& channel) {
  const std::lock_guard lock{mutex_};
  channel.waker_ = nullptr;
}

void NameService::ask() {
  const std::lock_guard lock{mutex_};
  if (worker_ == nullptr) {
    // The thread inherits a full mask: signals are for the main thread.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    auto worker = std::make_unique<Worker>(*this);
    if (worker->start()) worker_ = std::move(worker);  // If not, the next question tries again.
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  if (worker_ != nullptr) worker_->wake();
}

void NameService::answer(Channel& channel, Answer&& answer) {
  const bool taken = channel.answers.push(std::move(answer));
  RINGPOST_ASSERT(taken);  // By the channel's promise.
  const std::lock_guard lock{mutex_};
  if (channel.waker_ != nullptr) channel.waker_->wake();
}

std::vector<NameService::Channel*> NameService::channels() {
  const std::lock_guard lock{mutex_};
  std::vector<Channel*> all;
  all.reserve(channels_.size());
  for (const auto& channel : channels_) all.push_back(channel.get());
  return all;
}

}  // namespace ringpost::net
