#include "sink/worker.h"

#include "io/engine.h"
#include "io/listener.h"
#include "io/process.h"

#include <utility>

namespace ringpost::sink {

std::variant<std::unique_ptr<Worker>, std::string> Worker::start(Endpoints& endpoints) {
  std::unique_ptr<Worker> made(new Worker(endpoints));
  std::promise<std::string> started;
  auto problem = started.get_future();
  if (!io::start_thread(made->thread_, "receiver",
                        [&started, self = made.get()] { self->run(started); })) {
    return io::explain_thread_failure();
  }
  std::string text = problem.get();
  if (!text.empty()) return text;
  return made;
}

Worker::~Worker() {
  stop();
}

void Worker::adopt(io::Socket socket, const Door& door) {
  send({socket, &door});
}

void Worker::drop(const Door& door) {
  send({{}, &door});
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);  // Until its ring is woken: then the thread may end it.
    stopping_ = true;
    if (waker_ != nullptr) waker_->wake();
  }
  thread_.join();
}

void Worker::send(Message message) {
  {
    const std::lock_guard lock(mutex_);
    messages_.push_back(message);
  }
  waker_->wake();
}

// --- on its thread -------------------------------------------------------------------------------

/// @param started  gets the reason why not, or nothing; then the caller goes on, so it is gone.
void Worker::run(std::promise<std::string>& started) {
  const io::OpenedRing opened = io::open_ring(io::EngineChoice::automatic, io::FileUse::none);
  if (opened.ring == nullptr) return started.set_value(opened.problem);
  io::Ring& ring = *opened.ring;
  waker_ = &ring.waker();
  started.set_value("");
  Receiver receiver(ring, endpoints_);
  bool stopping = false;
  while (!stopping) {
    ring.turn(true);
    read_messages(receiver);
    const std::lock_guard lock(mutex_);
    stopping = stopping_;
  }
  receiver.stop();
  while (ring.pending_count() > 0) ring.turn(true);
}

void Worker::read_messages(Receiver& receiver) {
  std::vector<Message> messages;
  {
    const std::lock_guard lock(mutex_);
    messages.swap(messages_);
  }
  for (const Message& message : messages) {
    if (message.socket.valid()) {
      receiver.adopt(message.socket, *message.door);
    } else {
      receiver.drop(*message.door);
    }
  }
}

}  // namespace ringpost::sink
