#include "ingest/refusal.h"

namespace ringpost::ingest {

Refusal wrong(std::string_view member, std::string_view complaint) {
  return {422, '`' + std::string{member} + "` " + std::string{complaint} + '.', 0,
          std::string{member}};
}

}  // namespace ringpost::ingest
