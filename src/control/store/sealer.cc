#include "control/store/sealer.h"

#include "base/assert.h"

#include <algorithm>

namespace ringpost::control {
namespace {

constexpr char format = 1;
constexpr size_t header_size = 1 + sizeof(KeyId);

std::string header_of(const KeyId& id) {
  std::string header(1, format);
  header += as_text(id);
  return header;
}

/// Names of tables and columns hold no NUL and the row stands last: no two places have one text.
std::string associated_data(std::string_view header, const Sealer::Place& place) {
  std::string text{header};
  for (const std::string_view part : {place.table, place.column, place.row}) {
    text += part;
    text += '\0';
  }
  return text;
}

}  // namespace

Sealer::Sealer(const Keyring& keyring) {
  RINGPOST_ASSERT(!keyring.keys().empty());
  for (const Keyring::Key& key : keyring.keys()) {
    keys_.push_back({key.id, crypto::AeadKey{key.bytes}});
  }
}

std::string Sealer::seal(const Place& place, std::string_view plain) const {
  const Key& first = keys_.front();
  std::string sealed = header_of(first.id);
  sealed += first.key.seal(as_bytes(plain), as_bytes(associated_data(sealed, place)));
  return sealed;
}

Result<std::string> Sealer::open(const Place& place, Bytes sealed) const {
  const Error corrupt{Errc::corrupt, Side::disk};
  if (sealed.size() < header_size || sealed[0] != std::byte{format}) return corrupt;
  const std::string_view header = as_text(sealed.first(header_size));
  const auto key = std::ranges::find_if(
      keys_, [&](const Key& candidate) { return as_text(candidate.id) == header.substr(1); });
  if (key == keys_.end()) return Error{Errc::not_found, Side::operator_};
  return key->key.open(sealed.subspan(header_size), as_bytes(associated_data(header, place)));
}

std::string Sealer::key_of(Bytes sealed) {
  if (sealed.size() < header_size) return {};
  KeyId id;
  std::ranges::copy(sealed.subspan(1, id.size()), id.begin());
  return to_text(id);
}

}  // namespace ringpost::control
