#pragma once

#include "http/message.h"

#include <cstdint>
#include <memory>
#include <string>

namespace ringpost::shard {

/// From the thread of the drop directories to a shard: the events of a file.
struct FileOffered {
  uint16_t directory = 0;  ///< Its number; this and the ticket name the file in FileSettled.
  uint32_t ticket = 0;
  std::string organization;                ///< Who gets the events.
  std::string id;                          ///< As ingest::Intake::on_file has it.
  std::unique_ptr<http::Request> request;  ///< Content type and body.
};

/// The answer: 202 when every event of the file is durable; any other, and none is; a status of 0
/// when nobody knows.
struct FileSettled {
  uint16_t directory = 0;
  uint32_t ticket = 0;
  http::Response response;
};

}  // namespace ringpost::shard
