#include "sink/scenario.h"

#include <gtest/gtest.h>

namespace ringpost::sink {
namespace {

using namespace std::chrono_literals;

Scenario read(std::string_view text) {
  auto parsed = parse_scenario(text, {});
  if (const auto* problem = std::get_if<ScenarioProblem>(&parsed)) {
    ADD_FAILURE() << problem->line << ": " << problem->text;
    return {};
  }
  return std::get<Scenario>(std::move(parsed));
}

ScenarioProblem refuse(std::string_view text) {
  auto parsed = parse_scenario(text, {});
  if (const auto* problem = std::get_if<ScenarioProblem>(&parsed)) return *problem;
  ADD_FAILURE() << "was taken: " << text;
  return {};
}

const Behaviour& first_behaviour(const Scenario& scenario) {
  return scenario.endpoints.at(0).phases.at(0).behaviour;
}

TEST(Scenario, ReadsEveryKey) {
  const Scenario scenario = read(R"(
seed = 42
[[endpoint]]
name = "slow"
port = 9000
tls = "1.2"
certificate = "expired"
fail_first = 3
status = { 200 = 95, 503 = 5 }
delay = { median = "20ms", p99 = "400ms" }
fault = "drip"
fault_share = 0.5
drip_interval = "10ms"
retry_after = 30
body = "no"
headers = { X-One = "1" }
repeat = "1h"
[[endpoint.outage]]
from = "30s"
for = "10m"
every = "20m"
kind = "hang"
[[endpoint.phase]]
from = "5m"
status = 500
)");
  EXPECT_EQ(scenario.seed, 42u);
  ASSERT_EQ(scenario.endpoints.size(), 1u);
  const EndpointPlan& plan = scenario.endpoints[0];
  EXPECT_EQ(plan.name, "slow");
  EXPECT_EQ(plan.port, 9000);
  EXPECT_EQ(plan.versions, net::ServerTls::Versions::only_1_2);
  EXPECT_EQ(plan.certificate, CertificateKind::expired);
  EXPECT_EQ(plan.fail_first, 3u);
  EXPECT_EQ(plan.repeat, 1h);
  const Behaviour& behaviour = first_behaviour(scenario);
  ASSERT_EQ(behaviour.statuses.size(), 2u);
  EXPECT_EQ(behaviour.statuses[0].status, 200);
  EXPECT_EQ(behaviour.statuses[0].weight, 95u);
  EXPECT_EQ(behaviour.delay.kind, Delay::Kind::lognormal);
  EXPECT_EQ(behaviour.delay.first, 20ms);
  EXPECT_EQ(behaviour.delay.second, 400ms);
  EXPECT_EQ(behaviour.fault, Fault::drip);
  EXPECT_EQ(behaviour.fault_share, 0.5);
  EXPECT_EQ(behaviour.drip_interval, 10ms);
  EXPECT_EQ(behaviour.retry_after, 30u);
  EXPECT_EQ(behaviour.body, "no");
  EXPECT_EQ(behaviour.headers, std::vector<std::string>{"X-One: 1"});
  ASSERT_EQ(plan.outages.size(), 1u);
  EXPECT_EQ(plan.outages[0].kind, Outage::Kind::hang);
  ASSERT_EQ(plan.phases.size(), 2u);
  EXPECT_EQ(plan.phases[1].behaviour.statuses[0].status, 500);
  EXPECT_EQ(plan.phases[1].behaviour.body, "no") << "a phase changes only what it says";
}

TEST(Scenario, TakesTheBaseWhereItSaysNothing) {
  EndpointPlan base;
  base.phases[0].behaviour.body = "base";
  base.tls = false;
  base.fail_first = 2;
  const auto parsed = parse_scenario("[[endpoint]]\nstatus = 404", base);
  const auto& plan = std::get<Scenario>(parsed).endpoints.at(0);
  EXPECT_EQ(plan.phases[0].behaviour.body, "base");
  EXPECT_EQ(plan.phases[0].behaviour.statuses[0].status, 404);
  EXPECT_FALSE(plan.tls);
  EXPECT_EQ(plan.fail_first, 2u);
}

TEST(Scenario, CountsEndpointsOut) {
  const Scenario scenario =
      read("[[endpoint]]\nname = 'a'\ncount = 3\nport = 9000\n[[endpoint]]\n");
  ASSERT_EQ(scenario.endpoints.size(), 4u);
  EXPECT_EQ(scenario.endpoints[0].name, "a-1");
  EXPECT_EQ(scenario.endpoints[2].name, "a-3");
  EXPECT_EQ(scenario.endpoints[2].port, 9002);
  EXPECT_EQ(scenario.endpoints[3].name, "endpoint-4");
  EXPECT_EQ(scenario.endpoints[3].port, 0);
}

TEST(Scenario, ReadsEveryDelay) {
  EXPECT_EQ(first_behaviour(read("[[endpoint]]\ndelay = '20ms'")).delay.first, 20ms);
  const auto uniform = read("[[endpoint]]\ndelay = { min = '0s', max = '1s' }");
  EXPECT_EQ(first_behaviour(uniform).delay.kind, Delay::Kind::uniform);
  EXPECT_EQ(first_behaviour(uniform).delay.second, 1s);
  const auto exponential = read("[[endpoint]]\ndelay = { mean = '50ms' }");
  EXPECT_EQ(first_behaviour(exponential).delay.kind, Delay::Kind::exponential);
}

TEST(Scenario, FollowsItsPhases) {
  const Scenario scenario = read(R"(
[[endpoint]]
repeat = "30s"
[[endpoint.phase]]
from = "10s"
status = 500
[[endpoint.phase]]
from = "20s"
status = 429
)");
  const EndpointPlan& plan = scenario.endpoints[0];
  const auto status_at = [&](Duration elapsed) {
    return plan.phase_at(elapsed).behaviour.statuses[0].status;
  };
  EXPECT_EQ(status_at(0s), 200);
  EXPECT_EQ(status_at(10s - 1ns), 200);
  EXPECT_EQ(status_at(10s), 500);
  EXPECT_EQ(status_at(20s), 429);
  EXPECT_EQ(status_at(29s), 429);
  EXPECT_EQ(status_at(30s), 200);
  EXPECT_EQ(status_at(45s), 500);
}

TEST(Scenario, KnowsWhenAnOutageIs) {
  const Outage once{.from = 10s, .length = 5s};
  EXPECT_FALSE(once.covers(10s - 1ns));
  EXPECT_TRUE(once.covers(10s));
  EXPECT_TRUE(once.covers(15s - 1ns));
  EXPECT_FALSE(once.covers(15s));
  EXPECT_FALSE(once.covers(70s));
  const Outage again{.from = 10s, .length = 5s, .every = 60s};
  EXPECT_TRUE(again.covers(70s));
  EXPECT_FALSE(again.covers(75s));
}

struct WrongFile {
  std::string_view text;
  uint32_t line;
  std::string_view said;  ///< A part of what is said.
};

TEST(Scenario, SaysWhatIsWrongAndWhere) {
  const WrongFile wrong[] = {
      {"", 0, "there is no [[endpoint]] in it"},
      {"[[endpoint]]\nstatus =\n", 2, ""},
      {"[[endpoint]]\nstatsu = 200", 2, "unknown key \"endpoint.statsu\"; known here: "},
      {"sed = 1\n[[endpoint]]", 1, "unknown key \"sed\""},
      {"endpoint = 3", 1, "[[endpoint]] tables"},
      {"[endpoint]\nstatus = 200", 1, "[[endpoint]] tables"},
      {"seed = -1\n[[endpoint]]", 1, "seed must be a whole number from 0"},
      {"[[endpoint]]\nstatus = 199", 2, "status must be from 200 to 599"},
      {"[[endpoint]]\nstatus = 600", 2, "status must be from 200 to 599"},
      {"[[endpoint]]\nstatus = '200'", 2, "a status such as 200"},
      {"[[endpoint]]\nstatus = {}", 2, "a status such as 200"},
      {"[[endpoint]]\nstatus = { 200 = 0 }", 2, "some weight is not 0"},
      {"[[endpoint]]\nstatus = { 200 = -1 }", 2, "weights"},
      {"[[endpoint]]\nstatus = { ok = 1 }", 2, "from 200 to 599"},
      {"[[endpoint]]\ndelay = 20", 2, "a duration such as"},
      {"[[endpoint]]\ndelay = '20'", 2, "a number with a unit"},
      {"[[endpoint]]\ndelay = { min = '2s', max = '1s' }", 2, "max is not below min"},
      {"[[endpoint]]\ndelay = { median = '2s', p99 = '2s' }", 2, "p99 is above median"},
      {"[[endpoint]]\ndelay = { median = '0s', p99 = '2s' }", 2, "at least 1 ms"},
      {"[[endpoint]]\ndelay = { mean = '1s', p99 = '2s' }", 2,
       "unknown key \"endpoint.delay.p99\""},
      {"[[endpoint]]\ndelay = { min = '1s' }", 2, "one of { min"},
      {"[[endpoint]]\nfault = 'explode'", 2, "one of \"none\", \"reset\""},
      {"[[endpoint]]\nfault_share = 1.5", 2, "a number from 0 to 1"},
      {"[[endpoint]]\nfault_share = nan", 2, "a number from 0 to 1"},
      {"[[endpoint]]\nretry_after = '5s'", 2, "a whole number"},
      {"[[endpoint]]\nheaders = { 'a b' = 'x' }", 2, "names and values that a header may have"},
      {"[[endpoint]]\nheaders = { a = \"x\\ny\" }", 2, "names and values that a header may have"},
      {"[[endpoint]]\nheaders = { a = 1 }", 2, "a string"},
      {"[[endpoint]]\nname = 'A'", 2, "lower-case letters"},
      {"[[endpoint]]\nname = ''", 2, "lower-case letters"},
      {"[[endpoint]]\nname = 'a'\n[[endpoint]]\nname = 'a'", 3, "two endpoints have the name"},
      {"[[endpoint]]\nport = 0", 2, "a whole number from 1 to 65535"},
      {"[[endpoint]]\nport = 65535\ncount = 2", 1, "beyond the last port"},
      {"[[endpoint]]\ncount = 10001", 2, "a whole number from 1 to 10000"},
      {"[[endpoint]]\ncount = 10000\n[[endpoint]]", 3, "more than 10000 endpoints"},
      {"[[endpoint]]\ntls = '1.1'", 2, "one of \"both\", \"1.2\""},
      {"[[endpoint]]\ncertificate = 'none'", 2, "one of \"good\", \"expired\""},
      {"[[endpoint]]\nsecrets = { standard = 'plain' }", 2, "must name a file"},
      {"[[endpoint]]\nsecrets = { standard = '@/does/not/exist' }", 2, "/does/not/exist"},
      {"[[endpoint]]\nsecrets = { other = '@x' }", 2, "no dialect of this name"},
      {"[[endpoint]]\n[[endpoint.phase]]\nstatus = 500", 2, "endpoint.phase.from is missing"},
      {"[[endpoint]]\n[[endpoint.phase]]\nfrom = '5s'\n[[endpoint.phase]]\nfrom = '5s'", 4,
       "in the order of their time"},
      {"[[endpoint]]\nrepeat = '5s'\n[[endpoint.phase]]\nfrom = '5s'", 2,
       "later than the last phase"},
      {"[[endpoint]]\n[[endpoint.phase]]\nfrom = '5s'\ntls = 'off'", 4,
       "unknown key \"endpoint.phase.tls\""},
      {"[[endpoint]]\n[[endpoint.outage]]\nfrom = '5s'", 2, "endpoint.outage.for is missing"},
      {"[[endpoint]]\n[[endpoint.outage]]\nfor = '5s'\nevery = '5s'", 2, "longer than for"},
      {"[[endpoint]]\n[[endpoint.outage]]\nfor = '5s'\nkind = 'dead'", 4, "one of \"refuse\""},
      {"[[endpoint]]\n[[endpoint.outage]]\nfor = '0s'", 3, "at least 1 ms"},
  };
  for (const WrongFile& file : wrong) {
    const ScenarioProblem problem = refuse(file.text);
    EXPECT_EQ(problem.line, file.line) << file.text << "\n" << problem.text;
    EXPECT_NE(problem.text.find(file.said), std::string::npos) << file.text << "\n" << problem.text;
  }
}

}  // namespace
}  // namespace ringpost::sink
