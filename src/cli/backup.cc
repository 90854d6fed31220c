#include "backup/backup.h"

#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "io/posix_disk.h"

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

namespace ringpost::cli {
namespace {

struct BackupOptions {
  std::string directory;
  std::string config_file;
  std::optional<std::string> data_dir;
  bool json = false;
};

int complain(const std::string& problem) {
  std::fprintf(stderr, "ringpost: %s\n", shown(problem).c_str());
  return exit_refused;
}

/// "1.5 GiB"
std::string size_of(uint64_t bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto size = static_cast<double>(bytes);
  size_t unit = 0;
  while (size >= 1024 && unit + 1 < std::size(units)) {
    size /= 1024;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
  return text;
}

int make(const BackupOptions& options, const FindDataDirectory& find_data_directory) {
  const auto data_dir = find_data_directory(options.config_file, options.data_dir);
  if (!data_dir) return exit_refused;
  io::PosixDisk disk;
  std::string problem;
  const auto report = backup::make_backup(disk, *data_dir, options.directory,
                                          std::chrono::system_clock::now(), problem);
  if (!report) return complain(problem);
  if (options.json) {
    std::string line;
    JsonWriter{line}
        .begin_object()
        .member("number", report->number)
        .member("files", report->files)
        .member("files_copied", report->files_copied)
        .member("bytes", report->bytes)
        .member("bytes_copied", report->bytes_copied)
        .member("files_removed", report->files_removed)
        .end_object();
    std::puts(line.c_str());
    return 0;
  }
  std::printf("%s is backed up in %s: %s files, %s; %s of them copied now, %s\n",
              shown(*data_dir).c_str(), shown(options.directory).c_str(),
              grouped(report->files).c_str(), size_of(report->bytes).c_str(),
              grouped(report->files_copied).c_str(), size_of(report->bytes_copied).c_str());
  std::puts(
      "Not in it: the key file and admin.token. Keep a copy of the key file elsewhere: "
      "without it the secrets in the backup cannot be read.");
  return 0;
}

int restore(const BackupOptions& options, const FindDataDirectory& find_data_directory) {
  const auto data_dir = find_data_directory(options.config_file, options.data_dir);
  if (!data_dir) return exit_refused;
  io::PosixDisk disk;
  std::string problem;
  const auto report = backup::restore_backup(disk, options.directory, *data_dir, problem);
  if (!report) return complain(problem);
  const std::string began_at = to_rfc3339(report->began_at);
  if (options.json) {
    std::string line;
    JsonWriter{line}
        .begin_object()
        .member("files", report->files)
        .member("bytes", report->bytes)
        .member("began_at", began_at)
        .end_object();
    std::puts(line.c_str());
    return 0;
  }
  std::printf("%s has the backup of %s: %s files, %s\n", shown(*data_dir).c_str(), began_at.c_str(),
              grouped(report->files).c_str(), size_of(report->bytes).c_str());
  std::puts(
      "Put the key file beside it, where the relay's configuration expects it, and start the "
      "relay. What was pending then will be delivered.");
  return 0;
}

constexpr const char* backup_notes =
    "Copies journals, index and control store; run it as the relay's user, on the relay's machine. "
    "The relay may run. Every event that was acknowledged when the command began is in the "
    "backup. Run it again with the same DIR to bring the backup up to date: full journal segments "
    "are not copied again, and the old backup stays whole until the new one is complete.\n"
    "\n"
    "  ringpost backup /mnt/backup/ringpost --config /etc/ringpost/ringpost.toml\n"
    "\n"
    "Exit codes: 0 done; 1 not done, with the reason; 2 wrong usage.";

constexpr const char* restore_notes =
    "Copies a backup into a new data directory, and checks every byte. Restore the key file as "
    "well; it is not in the backup. The relay then delivers what was pending when the backup was "
    "made: where that was delivered since, receivers get it again, with the same ids.\n"
    "\n"
    "  ringpost restore /mnt/backup/ringpost --data-dir /var/lib/ringpost/data\n"
    "\n"
    "Exit codes: 0 done; 1 not done, with the reason; 2 wrong usage.";

}  // namespace

void add_backup_commands(CLI::App& app, Action& action,
                         const FindDataDirectory& find_data_directory) {
  const auto add = [&](const char* name, const char* help, const char* data_dir_help,
                       const char* notes, auto run) {
    auto options = std::make_shared<BackupOptions>();
    CLI::App* command = app.add_subcommand(name, help);
    command->add_option("DIR", options->directory, "Directory of the backup")->required();
    command->add_option("--config", options->config_file, "Configuration file (TOML)")
        ->type_name("FILE");
    command->add_option("--data-dir", options->data_dir, data_dir_help)->type_name("DIR");
    command->add_flag("--json", options->json, "Print a line of JSON");
    command->footer(notes);
    command->callback([&action, options, find_data_directory, run] {
      action = [options, find_data_directory, run] { return run(*options, find_data_directory); };
    });
  };
  add("backup", "Copy the data directory, also while the relay runs", "The relay's data directory",
      backup_notes, make);
  add("restore", "Make a data directory of a backup", "The data directory to make", restore_notes,
      restore);
}

}  // namespace ringpost::cli
