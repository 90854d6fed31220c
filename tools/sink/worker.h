#pragma once

#include "io/ring.h"
#include "sink/receiver.h"

#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace ringpost::sink {

/// A receiver on a thread of its own.
///
/// Thread safety: used by one thread.
class Worker {
 public:
  /// @returns the reason if there can be no further thread or ring.
  static std::variant<std::unique_ptr<Worker>, std::string> start(Endpoints& endpoints);
  ~Worker();

  /// As Receiver's.
  void adopt(io::Socket socket, const Door& door);
  void drop(const Door& door);
  /// Resets all connections and ends the thread. Blocking.
  void stop();

 private:
  struct Message {
    io::Socket socket;  ///< To adopt; not valid: to drop what came in through the door.
    const Door* door = nullptr;
  };

  explicit Worker(Endpoints& endpoints) : endpoints_(endpoints) {}
  void run(std::promise<std::string>& started);
  void send(Message message);
  void read_messages(Receiver& receiver);

  Endpoints& endpoints_;
  io::Waker* waker_ = nullptr;  ///< Set before the thread is said to have started.
  std::mutex mutex_;            ///< Of the next two.
  std::vector<Message> messages_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace ringpost::sink
