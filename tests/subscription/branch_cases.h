#pragma once

#include <string_view>

namespace ringpost::subscription {

struct BranchCase {
  std::string_view patterns;
  std::string_view branch;
  bool match;
};

/// Both tables of Buildkite's branch patterns (specification 5.1): what is documented, and
/// byte-wise where nothing is.
inline constexpr BranchCase branch_cases[] = {
    {"", "anything", true},
    {"*", "a/b/c", true},
    {"main", "main", true},
    {"main", "main2", false},
    {"!production", "main", true},
    {"!production", "production", false},
    {"main features/*", "main", true},
    {"main features/*", "features/login", true},
    {"main features/*", "feature/login", false},
    {"*-test", "rails-update-test", true},
    {"*-test", "unit-test-2", false},
    {"stages/* !stages/production", "stages/demo", true},
    {"stages/* !stages/production", "stages/production", false},
    {"stages/* !stages/production", "main", false},
    {"v*.0", "v1.0", true},
    {"v*.0", "v1.01", false},
    {"v* !v1.*", "v2.3", true},
    {"v* !v1.*", "v1.1", false},
    {"main feature/* !feature/beta release/*", "feature/beta", false},
    {"main feature/* !feature/beta release/*", "release/7", true},

    {"main", "Main", false},
    {"main features/*", "features/a/b", true},
    {"main features/*", "features", false},
    {"stages/* !stages/production", "stages/production/eu", true},
    {"v*.0", "v.0", true},
    {"v* !v1.*", "v1", true},
    {"feature/*/ui", "feature/a/b/ui", true},
    {"a*b*c", "aXbYc", true},
    {"a*b*c", "acb", false},
    {"**", "x", true},
    {"rel?ase", "release", false},
    {"[rm]ain", "main", false},
    {"!a !b", "c", true},
    {"!a !b", "b", false},
    {"!*", "main", false},
    {"* !dependabot/*", "dependabot/x", false},
    {"!feature/beta main feature/*", "feature/beta", false},
    {"  main   release/*  ", "main", true},
    {"main", "someone:main", false},
};

}  // namespace ringpost::subscription
