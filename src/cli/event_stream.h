#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace ringpost::cli {

/// One event of a stream (WHATWG HTML, 9.2.6).
struct StreamEvent {
  std::string type;  ///< `message` if the stream names none.
  std::string data;  ///< Its lines, with a line feed between two.
};

/// Reads server-sent events from bytes that come in any pieces. Lines end with LF, CR or both; what
/// is no field of an event is ignored, as the rules want it.
class EventStreamReader {
 public:
  /// Of a line, and of an event's data. Longer ones are no relay's.
  static constexpr size_t usual_bytes_max = size_t{1} << 20;

  explicit EventStreamReader(size_t bytes_max = usual_bytes_max) : bytes_max_(bytes_max) {}

  /// @returns whether to go on.
  using Take = std::function<bool(const StreamEvent&)>;

  /// @returns false if `take` did, or a limit is exceeded.
  bool feed(std::string_view bytes, const Take& take);
  /// The connection has ended: an event that is not complete is none.
  void reset();

  /// The last `id` of the stream, also of an earlier connection; empty: there was none.
  const std::string& last_id() const { return last_id_; }

 private:
  bool take_line(const Take& take);
  void take_field(std::string_view name, std::string_view value);

  const size_t bytes_max_;
  std::string line_;
  bool after_return_ = false;  // CR ended the last line: LF behind it is the same end.
  StreamEvent event_;
  bool has_data_ = false;
  std::string id_;
  std::string last_id_;
};

}  // namespace ringpost::cli
