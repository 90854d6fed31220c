#pragma once

#include <cstdint>
#include <string>

namespace ringpost::control {

/// A password to be held against a hash: about 0.2 s of a processor.
struct PasswordWanted {
  uint64_t ticket = 0;
  std::string password;
  std::string text;  ///< A scrypt text, which the configuration checked.
};

struct PasswordChecked {
  uint64_t ticket = 0;
  bool right = false;
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
