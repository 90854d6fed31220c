#include "server/doctor.h"

#include <gtest/gtest.h>

namespace ringpost::server {
namespace {

using Verdict = Finding::Verdict;

TEST(Doctor, KnowsWhichKernelsAreNewEnough) {
  for (const char* release :
       {"6.1.0", "6.1", "6.1.0-18-amd64", "6.18.44-fc", "7.0.0-rc1", "10.2"}) {
    EXPECT_EQ(judge_kernel(release).verdict, Verdict::ok) << release;
  }
  for (const char* release : {"5.15.0-91-generic", "6.0.19", "4.19.0", "6", "", "x.y"}) {
    EXPECT_EQ(judge_kernel(release).verdict, Verdict::warning) << release;
  }
}

TEST(Doctor, FindsNameServersAsResolversReadThem) {
  const auto servers = [](const char* text) { return judge_name_servers(text).text; };
  EXPECT_EQ(servers("search x\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 # second\n"),
            "192.0.2.1, 2001:db8::1");
  EXPECT_EQ(servers("nameserver 192.0.2.1\r\noptions ndots:2"), "192.0.2.1");
  for (const char* text : {"", "\n", "#nameserver 192.0.2.1\n", "nameserver\n", "nameserver \n",
                           "nameserverx 192.0.2.1\n", "options x\n"}) {
    EXPECT_EQ(judge_name_servers(text).verdict, Verdict::warning) << text;
  }
}

TEST(Doctor, SaysWhatToDoBelowWhatIsWrong) {
  const Findings findings{{Verdict::ok, "a", "fine", ""},
                          {Verdict::warning, "disk", "slow", "buy another"},
                          {Verdict::failure, "b", "gone\n", "mend \"it\""}};
  EXPECT_EQ(to_text({findings[0], findings[1]}),
            "ok   a     fine\nwarn disk  slow\n           -> buy another\n");
  EXPECT_TRUE(all_well({findings[0], findings[1]}));
  EXPECT_FALSE(all_well(findings));
  EXPECT_EQ(to_json({findings[2]}),
            R"({"ok":false,"findings":[{"subject":"b","verdict":"failure","text":"gone\n",)"
            R"("remedy":"mend \"it\""}]})");
}

}  // namespace
}  // namespace ringpost::server
