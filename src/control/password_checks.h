#pragma once

#include <cstdint>
#include <string>

namespace ringpost::control {

/// Work on a password: each hash takes about 0.2 s of a processor.
struct PasswordWanted {
  uint64_t ticket = 0;
  std::string password;
  std::string text;  ///< The hash that `password` is held against, checked before; empty: none.
  std::string next_password;  ///< To be hashed, if `password` is right; empty: none.
};

struct PasswordChecked {
  uint64_t ticket = 0;
  bool right = false;     ///< Also where there is nothing to hold it against.
  std::string next_text;  ///< The hash of `next_password`.
};

/// What came of the password in a call, which is made again because of that.
struct PasswordVerdict {
  std::string text;  ///< As PasswordWanted::text.
  bool right = false;
  std::string next_text;
};

/// Who finds that out beside the control thread. Each is answered by Control::on_password_checked,
/// with its ticket.
class PasswordChecks {
 public:
  virtual ~PasswordChecks() = default;
  virtual void send(PasswordWanted&& wanted) = 0;
};

/// The work itself.
PasswordChecked check_password(const PasswordWanted& wanted);

}  // namespace ringpost::control
