#include "sim/relay/store_disk.h"

#include "base/assert.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

namespace ringpost::sim {
namespace {

/// A fixed key: nothing of a run depends on the system's randomness but the sealed bytes, which
/// nobody looks at.
control::StoreOptions store_options() {
  std::string why;
  const auto keyring = control::Keyring::parse(
      "0123456789abcdef AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", why);
  RINGPOST_ASSERT(keyring.has_value());
  return {.keyring = *keyring};
}

// Of the connection that is opened just now.
const std::vector<unsigned char>* content = nullptr;
sqlite3* opened = nullptr;

/// Called by SQLite for a new connection, before anybody uses it.
int on_open(sqlite3* connection, char**, const void*) {
  opened = connection;
  if (content->empty()) return SQLITE_OK;
  auto* copy = static_cast<unsigned char*>(sqlite3_malloc64(content->size()));
  std::ranges::copy(*content, copy);
  const auto size = static_cast<sqlite3_int64>(content->size());
  return sqlite3_deserialize(connection, "main", copy, size, size,
                             SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE);
}

}  // namespace

StoreDisk::StoreDisk() {
  open();
}

void StoreDisk::open() {
  content = &synced_;
  auto* const entry = reinterpret_cast<void (*)()>(&on_open);
  sqlite3_auto_extension(entry);
  store_ = control::Store::open(":memory:", store_options()).store;
  sqlite3_cancel_auto_extension(entry);
  RINGPOST_ASSERT(store_ != nullptr);
  connection_ = std::exchange(opened, nullptr);
}

Result<void> StoreDisk::sync() {
  sqlite3_int64 size = 0;
  unsigned char* file = sqlite3_serialize(connection_, "main", &size, 0);
  RINGPOST_ASSERT(file != nullptr);
  synced_.assign(file, file + size);
  sqlite3_free(file);
  return {};
}

void StoreDisk::lose_power() {
  store_.reset();
  open();
}

}  // namespace ringpost::sim
