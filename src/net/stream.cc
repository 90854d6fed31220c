#include "net/stream.h"

#include "base/assert.h"
#include "net/tls_engine.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

// connect ─> handshake ⟲ ─> open ⟲ ─> flushing ─> draining ─> closing ─> idle
// adopt ────────┘ (TLS)       │ (plain: straight to open)        │
//                             └── at once: straight to closing ──┘

namespace ringpost::net {
namespace {

constexpr size_t record_bytes_max = 16'384;  // Plain text in one TLS record (RFC 8446, 5.1).

/// A peer that does not read its answer holds the connection no longer than this after `close`.
constexpr Duration flush_time_max = std::chrono::seconds{30};
constexpr Duration drain_time_max = std::chrono::seconds{2};

using Record = std::array<std::byte, record_bytes_max>;

/// One record of plain text on its way to or from the library. Per thread, not per connection: it
/// is used within one call. Reading and writing need one each, because an owner writes while it is
/// lent what was read.
Record& read_record() {
  static thread_local Record record;
  return record;
}
Record& write_record() {
  static thread_local Record record;
  return record;
}

/// Where handshakes and reads write: seldom anything, so it does not make an outbox.
std::string& spill() {
  static thread_local std::string bytes;
  return bytes;
}

/// Bytes on their way out. Exists only while there are any.
struct Outbox {
  std::string sending;  ///< Lent to the ring while the send is pending.
  std::string queued;   ///< Goes out in one send when that has ended.
  // Whether they hold bytes of the owner: TLS sends alerts and key updates by itself.
  bool sending_data = false;
  bool queued_data = false;
};

/// What arrived while the owner did not want to hear of it. Exists only then.
struct Held {
  std::string bytes;      ///< As received; TLS records are not opened yet.
  bool finished = false;  ///< The receive ended behind these bytes,
  int32_t result = 0;     ///< like this: 0 or minus an errno.
};

}  // namespace

struct Stream::State {
  enum class Phase : uint8_t {
    idle,         ///< Never opened, or closed.
    connecting,   ///< Until the ring has a socket for us, or an error.
    handshaking,  ///< TLS only.
    open,
    flushing,  ///< Closing in order: our last bytes go out.
    draining,  ///< Our side has ended; the peer's bytes are thrown away.
    closing,   ///< The socket is being closed, or there is none.
  };

  /// While a handler runs, what the owner asks for is only noted; at its end all of it is done at
  /// once. So everything that one callback sends leaves in one send.
  class Handling {
   public:
    explicit Handling(State& state) : state_(state) {
      RINGPOST_ASSERT(!state.in_handler);
      state.in_handler = true;
    }
    Handling(const Handling&) = delete;
    Handling& operator=(const Handling&) = delete;
    ~Handling() { state_.finish_handler(); }  // The stream may be gone after this.

   private:
    State& state_;
  };

  State(io::Ring& ring_used, StreamOwner& owner_told, io::ReceiveGroup group_used)
      : ring(ring_used), owner(owner_told), group(group_used) {}

  // The file's order is the flow's.
  void connect(const io::Address& address, ClientTls* tls, const std::string& server_name);
  void adopt(io::Socket accepted, ServerTls* tls);
  void on_connect(const io::Outcome& outcome);
  void announce();
  void on_receive(const io::Outcome& outcome);
  void take_in(Bytes bytes);
  void take_in_sealed(Bytes bytes);
  bool step_handshake();
  bool step_read();
  void hold(Bytes bytes);
  void deliver_held();
  void on_receive_over(int32_t result);
  void send(Bytes head, Bytes body);
  void seal(Bytes head, Bytes body);
  void start_send();
  void on_send(const io::Outcome& outcome);
  void start_receive();
  void pause();
  void resume();
  void end(std::optional<Error> error);
  void close(bool graceful);
  void start_draining();
  void start_closing();
  void on_close(const io::Outcome& outcome);
  void closed();

  void on_timer();
  void finish_handler();
  void advance();
  void soon() { ring.arm<&State::on_timer>(*this, timer, Duration::zero()); }
  std::string& queue();
  void queue_spill();
  bool over() const { return phase == Phase::closing || phase == Phase::idle; }
  /// Whether the owner is to hear of what arrives.
  bool wants_input() const {
    return (phase == Phase::handshaking || phase == Phase::open) && !ended;
  }
  /// A handshake goes on through a pause: the owner hears nothing of its bytes.
  bool holds() const { return paused && phase == Phase::open; }
  /// Whether a receive should be under way; while closing in order, to throw away what it brings.
  bool listens() const {
    if (phase == Phase::flushing || phase == Phase::draining) return true;
    return wants_input() && !holds() && held == nullptr;
  }

  // Constant.
  io::Ring& ring;
  StreamOwner& owner;
  const io::ReceiveGroup group;

  Phase phase = Phase::idle;
  bool in_handler = false;  ///< `finish_handler` will run before the ring's next operation.
  bool announced = false;   ///< on_stream_open was called.
  bool ended = false;       ///< on_stream_end was called: nothing more is read.
  bool broken = false;      ///< Nothing can be sent any more.
  bool failed = false;      ///< on_stream_end was called with an error.
  bool paused = false;
  bool cancelling = false;   ///< The receive is asked to stop.
  bool send_failed = false;  ///< The kernel did not take all that was given to `send`.
  bool sent_owed = false;    ///< on_stream_sent is due when the outbox is empty.
  bool peer_ended = false;   ///< The receive is over for good.
  bool outbound = false;     ///< connect, not adopt.
  io::Socket socket;
  io::Completion receive_op;  ///< Also the connect, which comes before.
  io::Completion send_op;
  std::unique_ptr<io::Completion> close_op;
  io::Timer timer;  ///< What is due soon, or the end of flushing and draining.
  std::unique_ptr<TlsEngine> engine;
  std::unique_ptr<Outbox> outbox;
  std::unique_ptr<Held> held;
  std::unique_ptr<Error> early_error;  ///< Rare: to be told from the next handler.
  io::Address peer;

  Side side() const { return outbound ? Side::endpoint : Side::producer; }
};

// --- opening -------------------------------------------------------------------------------------

void Stream::State::connect(const io::Address& address, ClientTls* tls,
                            const std::string& server_name) {
  RINGPOST_ASSERT(phase == Phase::idle);
  phase = Phase::connecting;
  outbound = true;
  peer = address;
  if (tls != nullptr) {
    auto made = TlsEngine::for_client(*tls, server_name, ring.wall_now());
    if (!made) {
      early_error = std::make_unique<Error>(made.error());
      return soon();
    }
    engine = std::move(made).value();
  }
  ring.connect<&State::on_connect>(*this, receive_op, address);
}

void Stream::State::adopt(io::Socket accepted, ServerTls* tls) {
  RINGPOST_ASSERT(phase == Phase::idle);
  RINGPOST_ASSERT(accepted.valid());
  socket = accepted;
  peer = {};
  if (tls != nullptr) {
    phase = Phase::handshaking;
    engine = TlsEngine::for_server(*tls, ring.wall_now());
  } else {
    phase = Phase::open;
    soon();
  }
  ring.receive<&State::on_receive>(*this, receive_op, socket, group);
}

void Stream::State::on_connect(const io::Outcome& outcome) {
  const Handling handling{*this};
  if (outcome) socket = outcome.socket();
  if (phase == Phase::closing) return;  // `advance` closes the socket if we got one.
  if (!outcome) return end(outcome.error(Side::endpoint));
  owner.on_stream_connected();
  if (engine != nullptr) {
    phase = Phase::handshaking;
    take_in_sealed({});  // Writes the client's hello.
  } else {
    phase = Phase::open;
    announce();
  }
}

void Stream::State::announce() {
  if (std::exchange(announced, true)) return;
  owner.on_stream_open();
}

// --- receiving -----------------------------------------------------------------------------------

void Stream::State::on_receive(const io::Outcome& outcome) {
  const Handling handling{*this};
  if (phase == Phase::open) announce();
  if (outcome.result > 0) take_in(outcome.bytes);
  if (outcome.more) return;
  cancelling = false;
  if (outcome.result == -ECANCELED) return;  // Ours: held back or closing.
  if (outcome.result > 0) return;            // The ring stopped; `advance` starts it again.
  if (held != nullptr) {
    held->finished = true;
    held->result = outcome.result;
  } else {
    on_receive_over(outcome.result);
  }
}

void Stream::State::take_in(Bytes bytes) {
  if (!wants_input()) return;  // Thrown away: the owner wants no more.
  if (holds() || held != nullptr) {
    hold(bytes);
    // Only now, not in `pause`: most pauses end before anything arrives.
    if (!std::exchange(cancelling, true)) ring.cancel(receive_op);
  } else if (engine != nullptr) {
    take_in_sealed(bytes);
  } else {
    owner.on_stream_bytes(bytes);
  }
}

void Stream::State::take_in_sealed(Bytes bytes) {
  engine->lend(bytes, ring.wall_now());
  bool goes_on = true;
  while (goes_on && wants_input() && !holds()) {
    goes_on = phase == Phase::handshaking ? step_handshake() : step_read();
  }
  const Bytes rest = engine->take_rest();
  if (!rest.empty() && wants_input()) hold(rest);
}

/// @returns whether there may be more to do with what was lent.
bool Stream::State::step_handshake() {
  const TlsEngine::Progress progress = engine->handshake(spill());
  queue_spill();
  switch (progress) {
    case TlsEngine::Progress::done:
      phase = Phase::open;
      announce();
      return true;
    case TlsEngine::Progress::wants_bytes: return false;
    case TlsEngine::Progress::ended: end(Error{Errc::closed, side()}); return false;
    case TlsEngine::Progress::failed: end(engine->error()); return false;
  }
  RINGPOST_UNREACHABLE();
}

bool Stream::State::step_read() {
  Record& record = read_record();
  size_t size = 0;
  const TlsEngine::Progress progress = engine->read(record, size, spill());
  queue_spill();
  switch (progress) {
    case TlsEngine::Progress::done: owner.on_stream_bytes({record.data(), size}); return true;
    case TlsEngine::Progress::wants_bytes: return false;
    case TlsEngine::Progress::ended: end(std::nullopt); return false;
    case TlsEngine::Progress::failed: end(engine->error()); return false;
  }
  RINGPOST_UNREACHABLE();
}

void Stream::State::hold(Bytes bytes) {
  if (held == nullptr) held = std::make_unique<Held>();
  held->bytes.append(as_text(bytes));
}

/// Goes on with what a pause held back: first the bytes, then the end that came behind them.
void Stream::State::deliver_held() {
  if (held == nullptr || holds()) return;
  const std::unique_ptr<Held> kept = std::exchange(held, nullptr);
  if (!kept->bytes.empty()) take_in(as_bytes(kept->bytes));
  if (!kept->finished) return;
  if (holds() && wants_input()) {  // Paused again, perhaps in the middle.
    hold({});
    held->finished = true;
    held->result = kept->result;
  } else {
    on_receive_over(kept->result);
  }
}

void Stream::State::on_receive_over(int32_t result) {
  peer_ended = true;
  if (!wants_input()) return;
  if (result < 0) return end(error_from_errno(-result, side()));
  // A plain stream may end whenever it likes; one of TLS says so first (RFC 8446, 6.1).
  if (engine != nullptr || broken) return end(Error{Errc::closed, side()});
  end(std::nullopt);
}

// --- sending -------------------------------------------------------------------------------------

std::string& Stream::State::queue() {
  if (outbox == nullptr) outbox = std::make_unique<Outbox>();
  return outbox->queued;
}

void Stream::State::queue_spill() {
  if (spill().empty()) return;
  queue().append(spill());
  spill().clear();
}

void Stream::State::send(Bytes head, Bytes body) {
  if (phase != Phase::open || broken) return;  // The owner hears, or has heard, why.
  if (head.empty() && body.empty()) return;
  sent_owed = true;
  if (engine != nullptr) {
    seal(head, body);
  } else {
    std::string& out = queue();
    out.reserve(out.size() + head.size() + body.size());
    out.append(as_text(head)).append(as_text(body));
  }
  if (outbox != nullptr) outbox->queued_data = true;
  if (!in_handler) advance();
}

/// Fills the first record with the head and as much of the body as fits, so that a usual request is
/// one record; the library splits the rest.
void Stream::State::seal(Bytes head, Bytes body) {
  bool sealed = true;
  if (head.size() < record_bytes_max && !body.empty()) {
    Record& record = write_record();
    const size_t taken = std::min(body.size(), record.size() - head.size());
    std::ranges::copy(head, record.begin());
    std::ranges::copy(body.first(taken), record.begin() + static_cast<ptrdiff_t>(head.size()));
    sealed = engine->write({record.data(), head.size() + taken}, queue());
    body = body.subspan(taken);
  } else {
    sealed = engine->write(head, queue());
  }
  if (sealed) sealed = engine->write(body, queue());
  if (sealed) return;
  early_error = std::make_unique<Error>(engine->error());
  broken = send_failed = true;
  soon();
}

void Stream::State::start_send() {
  if (outbox == nullptr || send_op.pending()) return;
  if (outbox->queued.empty() || broken) return outbox.reset();
  outbox->sending = std::move(outbox->queued);
  outbox->queued.clear();
  outbox->sending_data = std::exchange(outbox->queued_data, false);
  const Bytes bytes = as_bytes(outbox->sending);
  ring.send<&State::on_send>(*this, send_op, socket, bytes);
}

void Stream::State::on_send(const io::Outcome& outcome) {
  const Handling handling{*this};
  const bool had_data = std::exchange(outbox->sending_data, false) || outbox->queued_data;
  outbox->sending = {};
  if (over()) return;
  if (!outcome) {
    // What the peer said before it broke the connection may still wait to be read (an early 4xx),
    // so the receive tells the end. Where it has nothing more to tell, we do.
    broken = true;
    send_failed |= had_data;
    if (ended || (!receive_op.pending() && held == nullptr)) end(outcome.error(side()));
    return;
  }
  if (!outbox->queued.empty()) return;  // `advance` sends it.
  outbox.reset();
  if (phase != Phase::open || broken) return;
  if (std::exchange(sent_owed, false)) owner.on_stream_sent();
}

// --- back pressure -------------------------------------------------------------------------------

void Stream::State::pause() {
  paused = true;
}

void Stream::State::resume() {
  if (!std::exchange(paused, false) || !wants_input() || in_handler) return;
  if (held != nullptr) return soon();  // The owner hears nothing from within its own call.
  advance();
}

// --- the end -------------------------------------------------------------------------------------

void Stream::State::end(std::optional<Error> error) {
  if (over() || phase == Phase::flushing || phase == Phase::draining) return;
  if (failed || (ended && !error)) return;
  ended = true;
  if (error) {
    if (!broken) start_send();  // The alert that tells the peer what we think of it.
    broken = failed = true;
  }
  held.reset();
  owner.on_stream_end(error);
}

void Stream::State::close(bool graceful) {
  if (over()) return;
  const bool in_order = graceful && phase == Phase::open && !broken;
  if (in_order) {
    phase = Phase::flushing;
    if (held != nullptr && held->finished) peer_ended = true;
    held.reset();
    if (engine != nullptr) engine->write_close_notice(queue());
    ring.arm<&State::on_timer>(*this, timer, flush_time_max);
  } else if (!graceful || phase == Phase::connecting || phase == Phase::handshaking || broken) {
    ring.disarm(timer);
    if (phase == Phase::connecting) ring.cancel(receive_op);
    phase = Phase::closing;
  }
  if (!in_handler) advance();
}

void Stream::State::start_draining() {
  phase = Phase::draining;
  ring.shutdown_send(socket);
  ring.arm<&State::on_timer>(*this, timer, drain_time_max);
}

void Stream::State::start_closing() {
  phase = Phase::closing;
  ring.disarm(timer);
  if (close_op != nullptr) return;
  close_op = std::make_unique<io::Completion>();
  ring.close<&State::on_close>(*this, *close_op, socket);
}

void Stream::State::on_close(const io::Outcome& /*outcome*/) {
  closed();
}

/// Back to the beginning. The stream may be destroyed or opened again by what this calls last.
void Stream::State::closed() {
  RINGPOST_ASSERT(!receive_op.pending());
  RINGPOST_ASSERT(!send_op.pending());
  ring.disarm(timer);
  phase = Phase::idle;
  announced = ended = broken = failed = paused = cancelling = sent_owed = false;
  peer_ended = outbound = send_failed = false;
  socket = {};
  close_op.reset();
  engine.reset();
  outbox.reset();
  held.reset();
  early_error.reset();
  owner.on_stream_closed();
}

// --- what holds it together ----------------------------------------------------------------------

void Stream::State::on_timer() {
  const Handling handling{*this};
  switch (phase) {
    case Phase::connecting:
    case Phase::handshaking:
    case Phase::open:
      if (early_error != nullptr) return end(*std::exchange(early_error, nullptr));
      if (phase == Phase::open) announce();
      return deliver_held();
    case Phase::flushing:
    case Phase::draining: return start_closing();
    case Phase::closing:
    case Phase::idle: return;
  }
}

/// What was held back for a pause that the handler ended comes now, not a tick later.
void Stream::State::finish_handler() {
  while (held != nullptr && !holds() && wants_input()) deliver_held();
  advance();
}

/// Takes the steps that are due: at the end of each handler, and of calls from outside of one.
void Stream::State::advance() {
  const bool may_tell = std::exchange(in_handler, false);
  switch (phase) {
    case Phase::idle:
    case Phase::connecting: return;
    case Phase::handshaking:
    case Phase::open:
    case Phase::flushing:
    case Phase::draining: break;
    case Phase::closing:
      if (socket.valid()) return start_closing();
      if (receive_op.pending()) return;  // The connect has not ended yet.
      return may_tell ? closed() : soon();
  }
  start_receive();
  start_send();
  if (phase == Phase::flushing && broken) return start_closing();
  if (phase == Phase::flushing && outbox == nullptr) start_draining();
  if (phase == Phase::draining && peer_ended) return start_closing();
}

/// Before any send of the same turn: so the owner hears of bytes that were there before its own
/// went out while these are still `unsent`.
void Stream::State::start_receive() {
  if (!listens() || peer_ended || receive_op.pending()) return;
  ring.receive<&State::on_receive>(*this, receive_op, socket, group);
}

// --- the public face -----------------------------------------------------------------------------

Stream::Stream(io::Ring& ring, StreamOwner& owner, io::ReceiveGroup group)
    : state_(std::make_unique<State>(ring, owner, group)) {}

Stream::~Stream() {
  static_assert(sizeof(State) <= 336, "what an idle connection costs, besides its TLS session");
  RINGPOST_ASSERT(state_->phase == State::Phase::idle);
}

void Stream::connect(const io::Address& address, ClientTls* tls, const std::string& server_name) {
  state_->connect(address, tls, server_name);
}

void Stream::adopt(io::Socket socket, ServerTls* tls) {
  state_->adopt(socket, tls);
}

void Stream::send(Bytes head, Bytes body) {
  state_->send(head, body);
}

void Stream::pause() {
  state_->pause();
}

void Stream::resume() {
  state_->resume();
}

void Stream::close(bool graceful) {
  state_->close(graceful);
}

bool Stream::open() const {
  return state_->phase == State::Phase::open && !state_->ended;
}

uint64_t Stream::queued_bytes() const {
  const auto& outbox = state_->outbox;
  return outbox == nullptr ? 0 : outbox->sending.size() + outbox->queued.size();
}

bool Stream::unsent() const {
  const auto& outbox = state_->outbox;
  return state_->send_failed ||
         (outbox != nullptr && (outbox->sending_data || outbox->queued_data));
}

uint64_t Stream::unacknowledged_bytes() const {
  return state_->socket.valid() ? state_->ring.unacknowledged_bytes(state_->socket) : 0;
}

const io::Address& Stream::peer() const {
  io::Address& peer = state_->peer;
  const bool known = peer.port != 0 || peer.family == io::Address::Family::unix_path;
  if (!known && state_->socket.valid()) {  // Adopted: asked for when first needed.
    auto address = state_->ring.peer_address(state_->socket);
    if (address) peer = std::move(address).value();
  }
  return peer;
}

TlsSession Stream::tls_session() const {
  return state_->engine == nullptr ? TlsSession{} : state_->engine->session();
}

}  // namespace ringpost::net
