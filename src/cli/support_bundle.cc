#include "base/clock.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "ringpost/version.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

namespace ringpost::cli {
namespace {

struct BundleOptions {
  std::string config_file;
  std::optional<std::string> data_dir;
  std::string output;
  bool yes = false;
};

/// What the relay answers, or why it does not.
SupportSection answer_of(Session& session, const char* title, const char* target) {
  const auto answer = session.exchange("GET", target, {}, {});
  if (!answer) return {title, "the relay cannot be reached", false};
  if (answer->ok()) return {title, answer->body};
  return {title, "the relay answered " + std::to_string(answer->status) + ": " + answer->body,
          false};
}

std::vector<SupportSection> gather(Session& session, const BundleOptions& options,
                                   const LocalFacts& local_facts) {
  std::vector<SupportSection> sections{{"version", version_json()}};
  for (SupportSection& section : local_facts(options.config_file, options.data_dir)) {
    sections.push_back(std::move(section));
  }
  sections.push_back(answer_of(session, "status", "/v1/status"));
  sections.push_back(answer_of(session, "metrics", "/metrics"));
  return sections;
}

std::string text_of(const std::vector<SupportSection>& sections) {
  std::string text = std::string{"ringpost "} + version + ", " +
                     to_rfc3339(std::chrono::system_clock::now()) + "\n";
  for (const SupportSection& section : sections) {
    text += "\n== " + section.title + "\n\n" + section.text;
    if (!text.ends_with('\n')) text += '\n';
  }
  return text;
}

/// As in `ringpost-support-20310504T090807Z.txt`.
std::string default_name() {
  std::string time = to_rfc3339(std::chrono::system_clock::now()).substr(0, 19);
  std::erase_if(time, [](char byte) { return byte == '-' || byte == ':'; });
  return "ringpost-support-" + time + "Z.txt";
}

void list(const std::vector<SupportSection>& sections, const std::string& name) {
  Table table({"PART", "BYTES"});
  for (const SupportSection& section : sections) {
    const std::string size = grouped(section.text.size());
    table.add({section.title, section.there ? size : "NOT THERE: " + shown(section.text)});
  }
  std::printf(
      "%s will have:\n\n%s\nNo secret, token, payload or URL of a webhook is in it. It has names: "
      "of "
      "this machine, its files,\n"
      "addresses and organizations, and ids. It is text: read it before you send it.\n",
      shown(name).c_str(), table.to_text().c_str());
  std::fflush(stdout);
}

bool is_wanted(const BundleOptions& options) {
  if (options.yes) return true;
  if (isatty(STDIN_FILENO) == 0) {
    std::fputs("Nothing was written: add --yes to write it.\n", stdout);
    return false;
  }
  std::fputs("Write it? [y/N] ", stdout);
  std::fflush(stdout);
  char answer[16] = {};
  return std::fgets(answer, sizeof answer, stdin) != nullptr &&
         (answer[0] == 'y' || answer[0] == 'Y');
}

/// For the user's eyes only, and never over another file.
int write(const std::string& name, const std::string& text) {
  const int file = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  std::FILE* out = file < 0 ? nullptr : fdopen(file, "w");
  const bool written =
      out != nullptr && std::fwrite(text.data(), 1, text.size(), out) == text.size();
  const bool closed = out != nullptr && std::fclose(out) == 0;
  if (written && closed) {
    std::printf("written: %s\n", shown(name).c_str());
    return 0;
  }
  std::fprintf(stderr, "ringpost: %s cannot be written: %s; choose another with --output\n",
               shown(name).c_str(), std::strerror(errno));
  return exit_refused;
}

int run(Session& session, const BundleOptions& options, const LocalFacts& local_facts) {
  const std::string name = options.output.empty() ? default_name() : options.output;
  const auto sections = gather(session, options, local_facts);
  list(sections, name);
  return is_wanted(options) ? write(name, text_of(sections)) : exit_refused;
}

constexpr const char* notes =
    "Its parts: version and libraries, this machine (as ringpost doctor sees it), the "
    "configuration "
    "with passwords masked, names and sizes of the files in the data directory, and the relay's "
    "status and metrics. A part that cannot be read is left out, with a note. The list "
    "is shown before the "
    "file is written.\n"
    "\n"
    "  ringpost support-bundle --config /etc/ringpost/ringpost.toml";

}  // namespace

void add_support_bundle_command(CLI::App& app, Session& session, Action& action,
                                const LocalFacts& local_facts) {
  auto options = std::make_shared<BundleOptions>();
  CLI::App* command = app.add_subcommand(
      "support-bundle", "Write a text file with what somebody needs to help, without secrets");
  command->add_option("--config", options->config_file, "Configuration file (TOML)")
      ->type_name("FILE");
  command->add_option("--data-dir", options->data_dir, "The relay's data directory")
      ->type_name("DIR");
  command
      ->add_option("--output", options->output,
                   "File to write; default: ringpost-support-TIME.txt here")
      ->type_name("FILE");
  command->add_flag("--yes", options->yes, "Write it without asking");
  add_session_options(*command, session);
  command->remove_option(command->get_option("--json"));
  add_notes(*command, notes);
  command->callback([&, options, local_facts] {
    action = [&session, options, local_facts] { return run(session, *options, local_facts); };
  });
}

}  // namespace ringpost::cli
