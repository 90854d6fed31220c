#include "shard/routes.h"

#include <gtest/gtest.h>

namespace ringpost::shard {
namespace {

constexpr ingest::Serves events{.events = true};
constexpr ingest::Serves api_only{.api = true};

TEST(OwnRoutes, TakeEventsWhereTheListenerServesThem) {
  EXPECT_EQ(own_operation("POST", "/v1/events", events), OwnOperation::events_accept);
  EXPECT_EQ(own_operation("POST", "/v1/events", api_only), OwnOperation::none);
  EXPECT_EQ(own_operation("GET", "/v1/events", events), OwnOperation::none);
  EXPECT_EQ(own_operation("POST", "/v1/events/x", events), OwnOperation::none);
}

TEST(OwnRoutes, AnswerHealthOnEveryListener) {
  for (const std::string_view method : {"GET", "HEAD"}) {
    EXPECT_EQ(own_operation(method, "/healthz", api_only), OwnOperation::health_show);
    EXPECT_EQ(own_operation(method, "/readyz", {}), OwnOperation::readiness_show);
  }
  EXPECT_EQ(own_operation("POST", "/healthz", events), OwnOperation::none);
  EXPECT_EQ(own_operation("GET", "/health", events), OwnOperation::none);
}

}  // namespace
}  // namespace ringpost::shard
