#include "crypto/scrypt.h"

#include "base/assert.h"
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/random.h"

#include <openssl/evp.h>

#include <array>
#include <charconv>

namespace ringpost::crypto {
namespace {

constexpr std::string_view scheme = "scrypt";
constexpr size_t field_count = 6;
constexpr size_t salt_size = 16;
constexpr size_t hash_size = 32;

MutableBytes bytes_in(std::string& text) {
  return {reinterpret_cast<std::byte*>(text.data()), text.size()};
}

/// The parts between the `$`; false if there are more or fewer than `field_count`.
bool split(std::string_view text, std::array<std::string_view, field_count>& fields) {
  for (size_t i = 0; i < field_count; ++i) {
    const size_t end = text.find('$');
    const bool is_last = i + 1 == field_count;
    if ((end == std::string_view::npos) != is_last) return false;
    fields[i] = text.substr(0, end);
    if (!is_last) text.remove_prefix(end + 1);
  }
  return true;
}

/// Digits without leading zeros: one spelling of a number.
bool read_number(std::string_view text, uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() &&
         (text.front() != '0' || text.size() == 1);
}

/// Why a text's cost is not taken; empty if it is. The order keeps the sums within 64 bits.
std::string_view object_to_cost(const ScryptCost& cost) {
  if (cost.log2_n < scrypt_log2_n_min)
    return "log2 N is below 14: the password could be guessed too quickly";
  if (cost.log2_n > 20) return "log2 N is above 20";
  if (cost.r < 8 || cost.r > 64) return "r is outside 8 to 64";
  if (cost.p < 1 || cost.p > 64) return "p is outside 1 to 64";
  if (cost.memory() > scrypt_memory_max) return "it takes more than 128 MiB of memory";
  if (((uint64_t{cost.r} * cost.p) << cost.log2_n) / 8 > scrypt_work_max) {
    return "it takes too long: r / 8 * p * 2^(log2 N) is above 2^17";
  }
  return {};
}

}  // namespace

Result<void> scrypt(Bytes password, Bytes salt, ScryptCost cost, MutableBytes out) {
  if (cost.log2_n < 1 || cost.log2_n > 30 || cost.r == 0 || cost.p == 0) {
    return Error{Errc::malformed, Side::operator_};
  }
  if (cost.memory() > scrypt_memory_max) return Error{Errc::too_large, Side::operator_};
  // The library counts the block of p, too.
  const uint64_t memory_max = scrypt_memory_max + uint64_t{128} * cost.r * (cost.p + uint64_t{2});
  const int done = EVP_PBE_scrypt(as_text(password).data(), password.size(),
                                  reinterpret_cast<const uint8_t*>(salt.data()), salt.size(),
                                  uint64_t{1} << cost.log2_n, cost.r, cost.p, memory_max,
                                  reinterpret_cast<uint8_t*>(out.data()), out.size());
  if (done != 1) return Error{Errc::malformed, Side::operator_};
  return {};
}

PasswordHash PasswordHash::of(std::string_view password) {
  PasswordHash made;
  made.salt_.resize(salt_size);
  made.hash_.resize(hash_size);
  fill(bytes_in(made.salt_));
  const auto done =
      scrypt(as_bytes(password), as_bytes(made.salt_), made.cost_, bytes_in(made.hash_));
  RINGPOST_ASSERT(done);  // The default cost is within all limits: it fails without memory only.
  return made;
}

PasswordHash PasswordHash::nobodys() {
  PasswordHash made;
  made.salt_.resize(salt_size);
  made.hash_.resize(hash_size);
  fill(bytes_in(made.salt_));
  fill(bytes_in(made.hash_));
  return made;
}

std::optional<PasswordHash> PasswordHash::parse(std::string_view text, std::string& why) {
  const auto refuse = [&](std::string_view reason) {
    why = reason;
    return std::nullopt;
  };
  std::array<std::string_view, field_count> fields;
  PasswordHash parsed;
  if (text.size() > scrypt_text_bytes_max || !split(text, fields) || fields[0] != scheme ||
      !read_number(fields[1], parsed.cost_.log2_n) || !read_number(fields[2], parsed.cost_.r) ||
      !read_number(fields[3], parsed.cost_.p)) {
    return refuse("it does not have the form scrypt$<log2 N>$<r>$<p>$<salt>$<hash>");
  }
  if (const auto objection = object_to_cost(parsed.cost_); !objection.empty()) {
    return refuse(objection);
  }
  auto salt = base64_decode(fields[4]);
  auto hash = base64_decode(fields[5]);
  if (!salt || salt->size() < 8 || salt->size() > 64) {
    return refuse("the salt is not 8 to 64 bytes in base64");
  }
  if (!hash || hash->size() < 16 || hash->size() > 64) {
    return refuse("the hash is not 16 to 64 bytes in base64");
  }
  parsed.salt_ = std::move(*salt);
  parsed.hash_ = std::move(*hash);
  return parsed;
}

std::string PasswordHash::to_text() const {
  std::string text{scheme};
  for (const uint32_t number : {cost_.log2_n, cost_.r, cost_.p}) {
    text += '$' + std::to_string(number);
  }
  text += '$';
  append_base64(text, as_bytes(salt_));
  text += '$';
  append_base64(text, as_bytes(hash_));
  return text;
}

bool PasswordHash::matches(std::string_view password) const {
  if (password.size() > password_bytes_max) return false;
  std::string found(hash_.size(), '\0');
  if (!scrypt(as_bytes(password), as_bytes(salt_), cost_, bytes_in(found))) return false;
  return constant_time_equal(as_bytes(found), as_bytes(hash_));
}

}  // namespace ringpost::crypto
