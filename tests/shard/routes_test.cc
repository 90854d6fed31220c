#include "shard/routes.h"

#include <gtest/gtest.h>

namespace ringpost::shard {
namespace {

constexpr ingest::Serves events{.events = true};
constexpr ingest::Serves api_only{.api = true};

OwnOperation operation_of(std::string_view method, std::string_view path,
                          const ingest::Serves& serves) {
  return own_route(method, path, serves).operation;
}

TEST(OwnRoutes, TakeEventsWhereTheListenerServesThem) {
  EXPECT_EQ(operation_of("POST", "/v1/events", events), OwnOperation::events_accept);
  EXPECT_EQ(operation_of("POST", "/v1/events", api_only), OwnOperation::none);
  EXPECT_EQ(operation_of("GET", "/v1/events", api_only), OwnOperation::none);
  EXPECT_EQ(operation_of("POST", "/v1/events/x", events), OwnOperation::none);
}

TEST(OwnRoutes, TakeEventsAtTheRootWhereTheListenerIsForCloudEvents) {
  constexpr ingest::Serves cloudevents{.cloudevents = true};
  EXPECT_EQ(operation_of("POST", "/", cloudevents), OwnOperation::events_accept);
  EXPECT_EQ(operation_of("POST", "/v1/events", cloudevents), OwnOperation::none);
  EXPECT_EQ(operation_of("POST", "/", events), OwnOperation::none);
  const OwnRoute route = own_route("GET", "/", cloudevents);
  EXPECT_EQ(route.operation, OwnOperation::wrong_method);
  EXPECT_EQ(route.wrong.allow, "POST");
  EXPECT_EQ(operation_of("GET", "/", {.console = true, .cloudevents = true}), OwnOperation::none)
      << "it leads to the console";
}

TEST(OwnRoutes, TakeCallsOfGitHostsWhereTheListenerServesEvents) {
  EXPECT_EQ(operation_of("POST", "/in/github/t0ken", events), OwnOperation::call_accept);
  EXPECT_EQ(operation_of("POST", "/in/github/t0ken", api_only), OwnOperation::none);
  EXPECT_EQ(operation_of("GET", "/in/github/t0ken", events), OwnOperation::wrong_method);
  EXPECT_EQ(operation_of("POST", "/h/github/app/t0ken", events), OwnOperation::call_accept);
  EXPECT_EQ(operation_of("POST", "/h/github/app/t0ken", api_only), OwnOperation::none);
  for (const char* path : {"/in/github", "/in/github/", "/in/github/t0ken/more", "/in"}) {
    EXPECT_EQ(operation_of("POST", path, events), OwnOperation::none) << path;
  }
}

// Events are posted to the shard, and listed by the control thread.
TEST(OwnRoutes, LeaveTheListOfEventsToTheControlThread) {
  constexpr ingest::Serves both{.events = true, .api = true};
  EXPECT_EQ(operation_of("POST", "/v1/events", both), OwnOperation::events_accept);
  EXPECT_EQ(operation_of("GET", "/v1/events", both), OwnOperation::none);
  EXPECT_EQ(operation_of("HEAD", "/v1/events", both), OwnOperation::none);
  const OwnRoute route = own_route("PUT", "/v1/events", both);
  EXPECT_EQ(route.operation, OwnOperation::wrong_method);
  EXPECT_EQ(route.wrong.allow, "GET, HEAD, POST");
}

TEST(OwnRoutes, AnswerHealthOnEveryListener) {
  for (const std::string_view method : {"GET", "HEAD"}) {
    EXPECT_EQ(operation_of(method, "/healthz", api_only), OwnOperation::health_show);
    EXPECT_EQ(operation_of(method, "/readyz", {}), OwnOperation::readiness_show);
  }
  EXPECT_EQ(operation_of("GET", "/health", events), OwnOperation::none);
}

TEST(OwnRoutes, TellWhichMethodsTheirPathsTake) {
  for (const std::string_view method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}) {
    const OwnRoute route = own_route(method, "/v1/events", events);
    EXPECT_EQ(route.operation, OwnOperation::wrong_method) << method;
    EXPECT_EQ(route.wrong.allow, "POST") << method;
  }
  for (const std::string_view path : {"/healthz", "/readyz"}) {
    const OwnRoute route = own_route("POST", path, {});
    EXPECT_EQ(route.operation, OwnOperation::wrong_method) << path;
    EXPECT_EQ(route.wrong.allow, "GET, HEAD") << path;
  }
}

}  // namespace
}  // namespace ringpost::shard
