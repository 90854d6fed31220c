#include "io/epoll_ring.h"

#include "base/assert.h"
#include "io/event_waker.h"
#include "io/lent_bytes.h"
#include "io/listener.h"
#include "io/process.h"
#include "io/socket_address.h"
#include "io/system.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <limits>
#include <span>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <utility>

namespace ringpost::io {

namespace {

/// Where a pending operation is, in Completion::progress.flags. None of them: its handler runs.
enum Place : uint8_t {
  at_socket = 1,  ///< Until an event of its socket makes it ready.
  in_ready = 2,
  in_paused = 4,
  in_files = 8,
  in_local_ends = 16,
  cancelled = 32,  ///< Not a place: its end was asked for.
};

constexpr uint32_t interest = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
constexpr uint32_t ends_and_errors = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr uint64_t wake_tag = ~uint64_t{0};
constexpr size_t events_per_turn = 256;

/// So that one busy socket keeps the others waiting no longer than this takes.
constexpr uint32_t receives_per_turn = 16;
constexpr uint32_t accepts_per_turn = 64;

bool is(const Completion& op, Place place) {
  return (op.progress.flags & place) != 0;
}
void set(Completion& op, Place place) {
  op.progress.flags = static_cast<uint8_t>(op.progress.flags | place);
}
void clear(Completion& op, Place place) {
  op.progress.flags = static_cast<uint8_t>(op.progress.flags & ~place);
}

bool reads(const Completion& op) {
  return op.operation() == Completion::Operation::accept ||
         op.operation() == Completion::Operation::receive;
}

bool is_unix(Socket socket) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return getsockopt(socket.handle, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

}  // namespace

// --- creation ------------------------------------------------------------------------------------

EpollRing::EpollRing(const Options& options)
    : options_(options),
      waker_(std::make_unique<EventWaker>()),
      events_(events_per_turn),
      buffer_(std::make_unique<std::byte[]>(options.receive_bytes)) {
  RINGPOST_LOCK_BYTES(buffer_.get(), options_.receive_bytes);
  read_clocks();
}

Result<std::unique_ptr<EpollRing>> EpollRing::create(const Options& options) {
  std::unique_ptr<EpollRing> ring{new EpollRing{options}};
  if (auto opened = ring->waker_->open(); !opened) return opened.error();
  ring->epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (ring->epoll_ < 0) return Error{Errc::unsupported, Side::operator_, errno};
  epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = wake_tag}};
  if (epoll_ctl(ring->epoll_, EPOLL_CTL_ADD, ring->waker_->handle(), &event) != 0) {
    return Error{Errc::unsupported, Side::operator_, errno};
  }
  if (options.file_threads > 0) {
    ring->files_ = FileThreads::start(options.file_threads, *ring->waker_);
    if (ring->files_ == nullptr) return Error{Errc::unsupported, Side::operator_, EAGAIN};
  }
  return ring;
}

EpollRing::~EpollRing() {
  RINGPOST_ASSERT(pending_count_ == 0);
  if (epoll_ >= 0) ::close(epoll_);
  RINGPOST_UNLOCK_BYTES(buffer_.get(), options_.receive_bytes);
}

std::string explain_epoll_failure(const Error& error) {
  const std::string subject = "epoll cannot be used: ";
  switch (error.detail) {
    case EAGAIN: return subject + explain_thread_failure();
    case EMFILE:
    case ENFILE:
      return subject + "too many open files; raise the limit (ulimit -n, systemd LimitNOFILE=)";
    case ENOMEM: return subject + "no memory; raise the memory of the machine or container";
    default: return subject + describe(error);
  }
}

std::string EpollRing::features_text() const {
  utsname system{};
  uname(&system);
  return std::string{"Linux "} + system.release + ", epoll with " +
         std::to_string(options_.file_threads) + " threads for files; receive buffer " +
         std::to_string(options_.receive_bytes) + " B";
}

Waker& EpollRing::waker() {
  return *waker_;
}

// --- the registry of what is pending -------------------------------------------------------------

EpollRing::SocketState& EpollRing::state_of(int32_t descriptor) {
  RINGPOST_ASSERT(descriptor >= 0);
  const auto index = static_cast<size_t>(descriptor);
  if (index >= sockets_.size()) sockets_.resize(std::max(index + 1, sockets_.size() * 2));
  return sockets_[index];
}

/// Counts `op`, and enters it with its socket unless it has none (`descriptor` -1).
void EpollRing::admit(Completion& op, int32_t descriptor) {
  op.progress = {};
  op.progress.file = descriptor;
  ++pending_count_;
  ++statistics_.submissions;
  if (descriptor < 0) return;
  SocketState& state = state_of(descriptor);
  RINGPOST_ASSERT(state.closer == nullptr);
  Completion*& place = reads(op) ? state.reader : state.writer;
  RINGPOST_ASSERT(place == nullptr);
  place = &op;
}

void EpollRing::admit_file(Completion& op, File file, uint64_t offset, Bytes bytes) {
  RINGPOST_ASSERT(files_ != nullptr);
  RINGPOST_ASSERT(file.valid());
  RINGPOST_ASSERT(bytes.size() <= std::numeric_limits<int32_t>::max());
  admit(op, -1);
  op.progress.file = file.handle;
  op.progress.offset = offset;
  op.progress.data = bytes.data();
  op.progress.size = static_cast<uint32_t>(bytes.size());
  if (bytes.empty()) return finish_next_turn(op, 0);
  set(op, in_files);
  files_->submit(op);
}

void EpollRing::retire(Completion& op) {
  --pending_count_;
  ++statistics_.completions;
  if (op.on_file() || op.progress.file < 0) return;
  SocketState& state = state_of(op.progress.file);
  (reads(op) ? state.reader : state.writer) = nullptr;
}

/// Ends `op` and runs its handler, after which it may not exist any more.
void EpollRing::finish(Completion& op, int32_t result) {
  const int32_t descriptor = op.on_file() ? -1 : op.progress.file;
  const bool connects = op.operation() == Completion::Operation::connect;
  if (connects && is(op, cancelled)) result = -ECANCELED;
  retire(op);
  if (connects && result < 0 && descriptor >= 0) close_descriptor(descriptor);
  op.complete({.result = result});
  if (descriptor >= 0) close_if_idle(descriptor);
}

void EpollRing::finish_next_turn(Completion& op, int32_t result) {
  RINGPOST_ASSERT(!is(op, in_local_ends));
  set(op, in_local_ends);
  local_ends_.push_back({&op, result});
}

void EpollRing::tell_more(Completion& op, int32_t result, Bytes bytes) {
  ++statistics_.completions;
  op.complete({.result = result, .more = true, .bytes = bytes});
}

void EpollRing::close_if_idle(int32_t descriptor) {
  SocketState& state = state_of(descriptor);
  if (state.closer == nullptr || state.reader != nullptr || state.writer != nullptr) return;
  if (!is(*state.closer, in_local_ends)) finish_next_turn(*state.closer, 0);
}

/// Epoll forgets a closed descriptor by itself. Should events of it be on their way, or a copy of
/// it live on in a child process, the generation tells them from its successor's.
void EpollRing::close_descriptor(int32_t descriptor) {
  SocketState& state = state_of(descriptor);
  const uint32_t generation = state.generation + 1;
  state = {};
  state.generation = generation;
  ++statistics_.enters;
  ::close(descriptor);
}

void EpollRing::cancel(Completion& op) {
  if (!op.pending() || is(op, cancelled)) return;
  if (op.operation() == Completion::Operation::close) return;  // It waits for nobody's peer.
  set(op, cancelled);
  make_ready(&op);  // Where it finds that it is cancelled.
  if (is(op, in_paused)) {
    clear(op, in_paused);
    std::erase(paused_, &op);
    queue(op);
  } else if (is(op, in_files) && files_->withdraw(op)) {
    clear(op, in_files);
    queue(op);
  }
}

// --- waiting for a socket ------------------------------------------------------------------------

/// @returns 0 or minus an errno. If something is there already, epoll says so in the next turn.
int32_t EpollRing::ensure_registered(int32_t descriptor) {
  SocketState& state = state_of(descriptor);
  if (state.registered) return 0;
  const uint64_t tag = uint64_t{state.generation} << 32 | static_cast<uint32_t>(descriptor);
  epoll_event event{.events = interest, .data = {.u64 = tag}};
  ++statistics_.enters;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
    // The limit of watched descriptors (fs.epoll.max_user_watches) is no full disk.
    return errno == ENOSPC ? -ENOBUFS : -errno;
  }
  state.registered = true;
  state.short_is_all = !is_unix({descriptor});
  return 0;
}

void EpollRing::wait_at_socket(Completion& op) {
  const int32_t failure = ensure_registered(op.progress.file);
  if (failure != 0) return finish_next_turn(op, failure);
  set(op, at_socket);
}

void EpollRing::queue(Completion& op) {
  set(op, in_ready);
  ready_.push_back(&op);
}

/// @param op  may be null, or be somewhere else than at its socket: then nothing changes.
void EpollRing::make_ready(Completion* op) {
  if (op == nullptr || !is(*op, at_socket)) return;
  clear(*op, at_socket);
  queue(*op);
}

void EpollRing::pause(Completion& op) {
  set(op, in_paused);
  paused_.push_back(&op);
  if (!pause_.armed()) arm<&EpollRing::resume_paused>(*this, pause_, shortage_pause);
}

void EpollRing::resume_paused() {
  for (Completion* op : paused_) {
    clear(*op, in_paused);
    queue(*op);
  }
  paused_.clear();
}

// --- accept --------------------------------------------------------------------------------------

void EpollRing::submit_accept(Completion& op) {
  admit(op, op.socket().handle);
  // accept4 has no flag for not waiting.
  const int flags = fcntl(op.progress.file, F_GETFL);
  fcntl(op.progress.file, F_SETFL, flags | O_NONBLOCK);
  queue(op);
}

void EpollRing::go_on_accepting(Completion& op) {
  for (uint32_t count = 0; count < accepts_per_turn; ++count) {
    ++statistics_.enters;
    const int accepted = accept4(op.progress.file, nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted < 0) {
      const int failure = errno;
      if (failure == EAGAIN) return wait_at_socket(op);
      if (concerns_one_connection(failure)) continue;
      if (!is_shortage(failure)) return finish(op, -failure);
      ++statistics_.accept_pauses;
      return pause(op);
    }
    tell_more(op, accepted);
    if (is(op, cancelled)) return finish(op, -ECANCELED);
  }
  queue(op);
}

// --- connect -------------------------------------------------------------------------------------

void EpollRing::submit_connect(Completion& op, const Address& to) {
  const int32_t descriptor = open_socket_to(to, SOCK_NONBLOCK);
  statistics_.enters += 2;
  admit(op, descriptor);
  if (descriptor < 0) return finish_next_turn(op, descriptor);
  SocketAddress address{to};
  start_connect(op, address);
}

void EpollRing::start_connect(Completion& op, SocketAddress& address) {
  const int32_t descriptor = op.progress.file;
  ++statistics_.enters;
  if (::connect(descriptor, address.data(), address.size) == 0) {
    return finish_next_turn(op, descriptor);
  }
  if (errno == EINPROGRESS) return wait_at_socket(op);
  // A Unix listener has a full backlog. No event says when it has room.
  if (errno != EAGAIN || address.family() != AF_UNIX) return finish_next_turn(op, -errno);
  state_of(descriptor).connecting = std::make_unique<SocketAddress>(address);
  pause(op);
}

void EpollRing::go_on_connecting(Completion& op) {
  const int32_t descriptor = op.progress.file;
  if (const auto address = std::move(state_of(descriptor).connecting)) {
    return start_connect(op, *address);
  }
  int failure = 0;
  socklen_t size = sizeof failure;
  ++statistics_.enters;
  if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size) != 0) failure = errno;
  finish(op, failure == 0 ? descriptor : -failure);
}

// --- receive -------------------------------------------------------------------------------------

void EpollRing::submit_receive(Completion& op, ReceiveGroup /*group*/) {
  admit(op, op.socket().handle);
  queue(op);
}

void EpollRing::go_on_receiving(Completion& op) {
  const int32_t descriptor = op.progress.file;
  for (uint32_t count = 0; count < receives_per_turn; ++count) {
    RINGPOST_UNLOCK_BYTES(buffer_.get(), options_.receive_bytes);
    ++statistics_.enters;
    const ssize_t got = recv(descriptor, buffer_.get(), options_.receive_bytes, MSG_DONTWAIT);
    const int failure = got < 0 ? errno : 0;
    const auto size = static_cast<uint32_t>(std::max<ssize_t>(got, 0));
    const bool took_all = failure == EAGAIN ||
                          (got > 0 && size < options_.receive_bytes &&
                           state_of(descriptor).short_is_all && !state_of(descriptor).read_to_end);
    RINGPOST_LOCK_BYTES(buffer_.get(), options_.receive_bytes);
    RINGPOST_UNLOCK_BYTES(buffer_.get(), size);
    if (got > 0) tell_more(op, static_cast<int32_t>(got), {buffer_.get(), size});
    RINGPOST_LOCK_BYTES(buffer_.get(), options_.receive_bytes);
    if (got > 0 && is(op, cancelled)) return finish(op, -ECANCELED);
    if (took_all) return wait_at_socket(op);
    if (got == 0) return finish(op, 0);
    if (got < 0 && failure != EINTR) return finish(op, -failure);
  }
  queue(op);
}

// --- send ----------------------------------------------------------------------------------------

void EpollRing::submit_send(Completion& op, Bytes bytes) {
  RINGPOST_ASSERT(bytes.size() <= std::numeric_limits<int32_t>::max());
  admit(op, op.socket().handle);
  op.progress.data = bytes.data();
  op.progress.size = static_cast<uint32_t>(bytes.size());
  queue(op);
}

void EpollRing::go_on_sending(Completion& op) {
  const auto result = send_now(op);
  if (result) return finish(op, *result);
  is(op, cancelled) ? finish(op, -ECANCELED) : wait_at_socket(op);
}

/// Hands over what the socket takes. @returns how the send ends; nothing if it waits for room.
std::optional<int32_t> EpollRing::send_now(Completion& op) {
  while (op.progress.done < op.progress.size) {
    ++statistics_.enters;
    const ssize_t sent = ::send(op.progress.file, op.progress.data + op.progress.done,
                                op.progress.size - op.progress.done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return std::nullopt;
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return -errno;
    if (sent == 0) return -EIO;  // No progress and no reason: do not go round for ever.
    op.progress.done += static_cast<uint32_t>(sent);
  }
  return static_cast<int32_t>(op.progress.size);
}

// --- close and files -----------------------------------------------------------------------------

void EpollRing::submit_close(Completion& op) {
  op.progress = {};
  op.progress.file = op.socket().handle;
  ++pending_count_;
  ++statistics_.submissions;
  SocketState& state = state_of(op.progress.file);
  RINGPOST_ASSERT(state.closer == nullptr);
  state.closer = &op;
  if (state.reader != nullptr) cancel(*state.reader);
  if (state.writer != nullptr) cancel(*state.writer);
  close_if_idle(op.progress.file);
}

void EpollRing::end_close(Completion& op) {
  --pending_count_;
  ++statistics_.completions;
  close_descriptor(op.progress.file);
  op.complete({.result = 0});
}

void EpollRing::submit_write(Completion& op, File file, uint64_t offset, Bytes bytes) {
  admit_file(op, file, offset, bytes);
}

void EpollRing::submit_read(Completion& op, File file, uint64_t offset, MutableBytes into) {
  RINGPOST_ASSERT(!into.empty());
  admit_file(op, file, offset, into);
}

// --- the loop ------------------------------------------------------------------------------------

/// What was submitted is tried before the wait, and a send that ends then is reported at once: its
/// owner hears of the end before it hears the answer. A receive that was submitted before the send
/// reports what was there already before.
void EpollRing::turn(bool may_sleep) {
  const uint32_t count = wait_for_events(may_sleep);
  waker_->acknowledge();
  read_clocks();
  for (const epoll_event& event : std::span{events_}.first(count)) on_event(event);
  run_ready();
  run_files();
  run_local_ends();
  timers_.expire(now_);
}

/// @returns how many of events_ are there.
uint32_t EpollRing::wait_for_events(bool may_sleep) {
  if (!ready_.empty() || !local_ends_.empty()) {
    read_clocks();
    run_ready();
    run_local_ends();
    return enter(Duration{0});  // Handlers may have made work for the caller.
  }
  const bool files_ended = files_ != nullptr && files_->has_ended();
  return may_sleep && !files_ended ? sleep() : enter(Duration{0});
}

uint32_t EpollRing::sleep() {
  std::optional<Duration> timeout;
  if (const auto due = timers_.next_due()) {
    timeout = *due - read_monotonic();
    if (*timeout <= Duration{0}) return enter(Duration{0});
  }
  if (!waker_->try_sleep()) return enter(Duration{0});
  ++statistics_.sleeps;
  const uint32_t count = enter(timeout);
  waker_->end_sleep();
  return count;
}

/// @param timeout  how long to wait at most; for ever without.
/// @returns how many of events_ are there.
uint32_t EpollRing::enter(std::optional<Duration> timeout) {
  ++statistics_.enters;
  const int room = static_cast<int>(events_.size());
  int count = -1;
  if (precise_) {
    const int64_t ns = timeout.value_or(Duration{0}).count();
    const timespec limit{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
    count = epoll_pwait2(epoll_, events_.data(), room, timeout ? &limit : nullptr, nullptr);
    precise_ = count >= 0 || (errno != ENOSYS && errno != EPERM);
  }
  if (!precise_) {
    // Rounded up: to wake up before the time would be to go round until it comes.
    const auto limit =
        timeout ? std::chrono::ceil<std::chrono::milliseconds>(*timeout).count() : -1;
    count = epoll_wait(epoll_, events_.data(), room,
                       static_cast<int>(std::min<int64_t>(limit, std::numeric_limits<int>::max())));
  }
  RINGPOST_ASSERT(count >= 0 || errno == EINTR);  // A signal; the loop looks around and comes back.
  return static_cast<uint32_t>(std::max(count, 0));
}

void EpollRing::on_event(const epoll_event& event) {
  if (event.data.u64 == wake_tag) return;
  SocketState& state = state_of(static_cast<int32_t>(event.data.u64 & 0xffff'ffff));
  if (state.generation != event.data.u64 >> 32) return;
  if ((event.events & (EPOLLIN | ends_and_errors)) != 0) {
    state.read_to_end = state.read_to_end || (event.events & ends_and_errors) != 0;
    make_ready(state.reader);
  }
  if ((event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) make_ready(state.writer);
}

/// Only what was ready when the turn began: what handlers cause meanwhile belongs to the next one.
void EpollRing::run_ready() {
  std::swap(ready_, ready_running_);
  for (Completion* op : ready_running_) {
    clear(*op, in_ready);
    // A send is tried all the same: what was submitted before a cancel or a close may still go out.
    const bool sends = op->operation() == Completion::Operation::send;
    is(*op, cancelled) && !sends ? finish(*op, -ECANCELED) : go_on(*op);
  }
  ready_running_.clear();
}

void EpollRing::go_on(Completion& op) {
  switch (op.operation()) {
    case Completion::Operation::accept: return go_on_accepting(op);
    case Completion::Operation::connect: return go_on_connecting(op);
    case Completion::Operation::receive: return go_on_receiving(op);
    case Completion::Operation::send: return go_on_sending(op);
    case Completion::Operation::write:
    case Completion::Operation::read:
    case Completion::Operation::close:
    case Completion::Operation::none: break;  // Never waits at a socket.
  }
  RINGPOST_UNREACHABLE();
}

void EpollRing::run_files() {
  if (files_ == nullptr || !files_->has_ended()) return;
  for (Completion* op = files_->take_ended(); op != nullptr;) {
    Completion* const next = op->progress.next;
    clear(*op, in_files);
    finish(*op, FileThreads::result_of(*op));
    op = next;
  }
}

void EpollRing::run_local_ends() {
  std::swap(local_ends_, local_ends_running_);
  for (const LocalEnd& end : local_ends_running_) {
    clear(*end.op, in_local_ends);
    if (end.op->operation() == Completion::Operation::close) {
      end_close(*end.op);
    } else {
      finish(*end.op, end.result);
    }
  }
  local_ends_running_.clear();
}

void EpollRing::read_clocks() {
  now_ = read_monotonic();
  wall_now_ = read_wall_time();
}

}  // namespace ringpost::io
