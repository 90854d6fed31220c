#include "control/store/keyring.h"

#include "base/assert.h"
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/hex.h"
#include "crypto/random.h"

#include <algorithm>
#include <cstring>

namespace ringpost::control {
namespace {

constexpr std::string_view heading =
    "# ringpost keyring: without it the secrets in the data directory cannot be read. Keep a copy\n"
    "# outside that directory. The first key encrypts, all of them decrypt. To replace it:\n"
    "# `ringpost secrets rotate`.\n";

template <size_t N>
bool take(const Result<std::string>& decoded, std::array<std::byte, N>& into) {
  if (!decoded || decoded->size() != N) return false;
  std::memcpy(into.data(), decoded->data(), N);
  return true;
}

/// Takes the text up to the next end of line off `text`.
std::string_view next_line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

bool parse_key(std::string_view line, Keyring::Key& key) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return false;
  const std::string_view id = line.substr(0, space);
  if (!take(crypto::hex_decode(id), key.id) || to_text(key.id) != id) return false;
  auto bytes = crypto::base64_decode(line.substr(space + 1));
  const bool taken = take(bytes, key.bytes);
  if (bytes) crypto::wipe({reinterpret_cast<std::byte*>(bytes->data()), bytes->size()});
  return taken;
}

}  // namespace

std::string to_text(const KeyId& id) {
  return crypto::hex_encode(id);
}

Keyring::Key::~Key() {
  crypto::wipe(bytes);
}

std::optional<Keyring> Keyring::parse(std::string_view text, std::string& why) {
  const auto refuse = [&](std::string reason) {
    why = std::move(reason);
    return std::nullopt;
  };
  if (text.size() > text_bytes_max) return refuse("it is larger than 16 KiB");
  Keyring ring;
  for (size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = next_line(text);
    if (line.empty() || line.front() == '#') continue;
    const std::string place = "line " + std::to_string(number) + " ";
    Key key;
    if (!parse_key(line, key)) {
      return refuse(place + "is not a key: 16 hexadecimal digits, a space, and 32 bytes in base64");
    }
    const auto same = [&](const Key& other) { return other.id == key.id; };
    if (std::ranges::any_of(ring.keys_, same)) return refuse(place + "has the id of a key above");
    if (ring.keys_.size() == keys_max) return refuse("it has more than 64 keys");
    ring.keys_.push_back(key);
  }
  if (ring.keys_.empty()) return refuse("there is no key in it");
  return ring;
}

std::string Keyring::to_text() const {
  std::string text{heading};
  for (const Key& key : keys_) {
    crypto::append_hex(text, key.id);
    text += ' ';
    crypto::append_base64(text, key.bytes);
    text += '\n';
  }
  return text;
}

Keyring Keyring::with_new_key() const {
  RINGPOST_ASSERT(keys_.size() < keys_max);
  Key key;
  crypto::fill(key.id);
  crypto::fill(key.bytes);
  Keyring ring;
  ring.keys_.push_back(key);
  ring.keys_.insert(ring.keys_.end(), keys_.begin(), keys_.end());
  return ring;
}

Keyring Keyring::first_only() const {
  RINGPOST_ASSERT(!keys_.empty());
  Keyring ring;
  ring.keys_.push_back(keys_.front());
  return ring;
}

}  // namespace ringpost::control
