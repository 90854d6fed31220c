#include "server/support_facts.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace ringpost::server {
namespace {

class SupportFacts : public testing::Test {
 protected:
  SupportFacts() {
    std::string path = testing::TempDir() + "ringpost-support-XXXXXX";
    directory_ = mkdtemp(path.data());
  }
  ~SupportFacts() override { std::filesystem::remove_all(directory_); }

  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream{directory_ + "/" + name} << text;
    return directory_ + "/" + name;
  }

  std::string directory_;
};

TEST_F(SupportFacts, ShowsOnlyWhatIsCertainlyNoSecret) {
  for (const char* line :
       {"password = \"scrypt$x\"", "  password=\"scrypt$x\"", "\"password\" = 'scrypt$x'",
        "\"pass\\u0077ord\" = 'scrypt$x'", "pasword = 'scrypt$x'", "token = 'scrypt$x'",
        "user = [{email = \"scrypt$x\", scopes = []}]", "# password = \"scrypt$x\"", "scrypt$x",
        "public_url = \"https://user:scrypt$x@relay\"", "[scrypt$x]", "email = 'a@b'"}) {
    EXPECT_EQ(masked_config(file("a.toml", line)), "# (left out)\n") << line;
  }
  EXPECT_EQ(masked_config(file("a.toml", "[[user]]\npassword = \"\"\"\\\nscrypt$x\"\"\"\n")),
            "[[user]]\n# (left out)\n# (left out)\n");
  const std::string plain =
      "[log]\nlevel = \"debug\"\n\n[[listener]]\naddress = \"[::]:1\"\nserves = [\"api\"]\n"
      "tls = {certificate = \"a\", key = \"b\"}\n";
  EXPECT_EQ(masked_config(file("a.toml", plain)), plain);
  EXPECT_EQ(masked_config(file("a.toml", "level = \"\x1b[2J\"")).find('\x1b'), std::string::npos);
}

TEST_F(SupportFacts, SaysWhatItCannotRead) {
  EXPECT_EQ(masked_config(""), "no file: the defaults\n");
  EXPECT_NE(masked_config("/no/such.toml").find("/no/such.toml: "), std::string::npos);
  EXPECT_NE(listed_files("/no/such").find("No such file"), std::string::npos);
}

TEST_F(SupportFacts, ListsFilesBelowTheDirectory) {
  std::filesystem::create_directory(directory_ + "/journal");
  file("journal/1.seg", "12345");
  const std::string listed = listed_files(directory_);
  EXPECT_NE(listed.find("Z  5  journal/1.seg\n"), std::string::npos) << listed;
}

}  // namespace
}  // namespace ringpost::server
