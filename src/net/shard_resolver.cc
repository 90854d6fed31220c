#include "net/shard_resolver.h"

namespace ringpost::net {

ShardResolver::ShardResolver(io::Ring& ring, NameService& service, Counters& counters,
                             Duration time_max)
    : FairResolver(ring, counters, time_max), service_(service) {}

ShardResolver::~ShardResolver() {
  if (channel_ != nullptr) service_.detach(*channel_);
}

void ShardResolver::ask(uint64_t id, const std::string& host) {
  if (channel_ == nullptr) channel_ = &service_.attach(ring().waker());
  const bool taken = channel_->questions.push({.id = id, .host = host});
  RINGPOST_ASSERT(taken);
  service_.ask();
}

void ShardResolver::poll() {
  if (channel_ != nullptr) take_answers();
  tell_ready();
}

void ShardResolver::take_answers() {
  NameService::Answer answer;
  while (channel_->answers.pop(answer)) take_answer(answer.id, answer.addresses, answer.error);
}

}  // namespace ringpost::net
