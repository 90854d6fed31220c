#include "net/name_service.h"

#include "base/assert.h"

#include <ares.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
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

Error resolve_error(int status) {
  switch (status) {
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_EBADNAME: return {Errc::name_unresolved, Side::endpoint};
    case ARES_ETIMEOUT: return {Errc::timed_out, Side::operator_};
    case ARES_ENOMEM: return {Errc::overloaded, Side::self};
    default: return {Errc::name_unresolved, Side::operator_};  // The name servers failed.
  }
}

}  // namespace

/// What lives on the thread.
class NameService::Worker {
 public:
  explicit Worker(NameService& service)
      : service_(service), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    RINGPOST_ASSERT(wake_ >= 0);
    thread_ = std::thread{[this] { run(); }};
  }
  ~Worker() {
    stopping_.store(true, std::memory_order_release);  // Pairs with run().
    wake();
    thread_.join();
    ::close(wake_);
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
    SystemClock::time_point expires;
  };
  /// One question to c-ares; its argument until it answers.
  struct Lookup {
    Worker* worker;
    std::string host;
  };

  void run();
  void open_channel();
  void close_channel();
  void follow_configuration();
  void wait();
  void take_questions();
  void look_up(const std::string& host, Asker asker);
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
  std::unordered_map<std::string, std::vector<Asker>> pending_;
  std::unordered_map<std::string, Entry> cache_;

  std::thread thread_;  // Last: starts when all else is there.
};

void NameService::Worker::run() {
  pthread_setname_np(pthread_self(), "names");
  ares_library_init(ARES_LIB_INIT_ALL);
  open_channel();
  while (!stopping_.load(std::memory_order_acquire)) {  // Pairs with ~Worker().
    take_questions();
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

/// The library reads resolv.conf only when it starts; laptops and containers change it.
void NameService::Worker::follow_configuration() {
  struct stat status {};
  if (!service_.options_.servers.empty() || stat("/etc/resolv.conf", &status) != 0) return;
  const timespec changed = status.st_mtim;
  const bool same = changed.tv_sec == configuration_time_.tv_sec &&
                    changed.tv_nsec == configuration_time_.tv_nsec;
  if (same || !pending_.empty()) return;
  if (configuration_time_.tv_sec != 0) {
    close_channel();
    open_channel();
  }
  configuration_time_ = changed;
}

/// Sleeps until a question, an answer or the library's next deadline.
void NameService::Worker::wait() {
  timeval next{};
  const timeval* const timeout = ares_timeout(ares_, nullptr, &next);
  const int timeout_ms =
      timeout == nullptr ? -1
                         : static_cast<int>(timeout->tv_sec * 1000 + timeout->tv_usec / 1000 + 1);
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
  if (cached != cache_.end()) {
    if (SystemClock::now() < cached->second.expires) return tell(service_, asker, cached->second);
    cache_.erase(cached);
  }
  follow_configuration();
  auto& askers = pending_[host];
  askers.push_back(asker);
  if (askers.size() > 1) return;  // Asked already.
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  ares_getaddrinfo(ares_, host.c_str(), nullptr, &hints, on_answer,
                   std::make_unique<Lookup>(Lookup{this, host}).release());
}

void NameService::Worker::on_answer(void* argument, int status, int /*timeouts*/,
                                    ares_addrinfo* result) {
  const std::unique_ptr<Lookup> lookup{static_cast<Lookup*>(argument)};
  if (status != ARES_EDESTRUCTION) {
    lookup->worker->settle(lookup->host, lookup->worker->entry_of(status, result));
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
  }
  entry.expires = SystemClock::now() + ttl;
  return entry;
}

void NameService::Worker::settle(const std::string& host, const Entry& entry) {
  remember(host, entry);
  const auto askers = pending_.extract(host);
  if (askers.empty()) return;
  for (const Asker& asker : askers.mapped()) tell(service_, asker, entry);
}

void NameService::Worker::remember(const std::string& host, const Entry& entry) {
  if (cache_.size() >= service_.options_.cache_entries_max) {
    const auto now = SystemClock::now();
    std::erase_if(cache_, [&](const auto& item) { return item.second.expires <= now; });
  }
  // Still full of names that are good: any of them makes room.
  if (cache_.size() >= service_.options_.cache_entries_max) cache_.erase(cache_.begin());
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
    worker_ = std::make_unique<Worker>(*this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  worker_->wake();
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
