#include "cli/commands.h"
#include "cli/text.h"
#include "cli/time_range.h"

namespace ringpost::cli {
namespace {

struct AuditOptions {
  std::string since;
  std::string until;
  std::string organization;
  std::string cursor;
  uint32_t limit = 50;
};

std::string target_of(const AuditOptions& options) {
  return with_query(
      "/v1/audit",
      {{"since", options.since}, {"until", options.until}, {"organization", options.organization}});
}

int list(Session& session, const AuditOptions& options) {
  Table table({"TIME", "TOKEN", "FROM", "OPERATION", "STATUS", "OBJECT", "MEMBERS"});
  const bool done =
      session.for_each_item(target_of(options), {options.limit, options.cursor}, [&](auto entry) {
        table.add({short_time(text_of(entry, "/at")), text_of(entry, "/token/name"),
                   text_of(entry, "/peer"), text_of(entry, "/operation"), text_of(entry, "/status"),
                   text_of(entry, "/object"), list_of(entry, "/members")});
      });
  if (!done) return session.failure_code();
  session.print(table, "Nothing was changed over the API in that time.\n");
  return 0;
}

constexpr const char* notes =
    "Only the names of changed members are kept, as values may be secrets. Requires a token with "
    "the scope admin.\n"
    "\n"
    "  ringpost audit list --since 2031-05-04T00:00:00Z --limit 500\n"
    "  ringpost audit list --json | jq -r '.items[] | [.at, .token.name, .operation] | @tsv'";

}  // namespace

void add_audit_commands(CLI::App& app, Session& session, Action& action,
                        const FindDataDirectory& find_data_directory) {
  CLI::App* group =
      app.add_subcommand("audit", "Read who changed what, and whether any delivery is missing");
  group->require_subcommand(1);
  add_notes(*group, "");
  auto options = std::make_shared<AuditOptions>();
  CLI::App* listing = group->add_subcommand("list", "Changes over the API, newest first");
  add_time_range(*listing, options->since, options->until, "Made");
  listing
      ->add_option("--organization", options->organization,
                   "Organization (operators only; default: your own)")
      ->type_name("NAME");
  add_range_options(*listing, options->limit, options->cursor);
  add_session_options(*listing, session);
  add_notes(*listing, notes);
  listing->callback(
      [&, options] { action = [&session, options] { return list(session, *options); }; });
  add_gaps_command(*group, action, find_data_directory);
}

}  // namespace ringpost::cli
