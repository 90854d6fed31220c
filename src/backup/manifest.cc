#include "backup/manifest.h"

#include "base/json_writer.h"
#include "journal/format.h"
#include "journal/journal_mark.h"

#include <simdjson.h>

#include <algorithm>
#include <set>

namespace ringpost::backup {
namespace {

using simdjson::SUCCESS;
using simdjson::dom::element;

constexpr uint64_t format = 1;

/// `journal/000/00000042.seg`, its index, or a mark; or the store.
bool is_path_of_data(std::string_view path) {
  if (path == store_name) return true;
  constexpr std::string_view begin = "journal/";
  if (!path.starts_with(begin)) return false;
  path.remove_prefix(begin.size());
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return false;
  if (!journal::parse_journal_name(path.substr(0, slash))) return false;
  const std::string_view name = path.substr(slash + 1);
  return name == journal::journal_mark_name || name == journal::written_name ||
         journal::parse_segment_name(name) || journal::parse_index_name(name);
}

bool is_stored_name(std::string_view name) {
  constexpr size_t name_bytes_max = 100;
  const auto good = [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '.' ||
           byte == '-';
  };
  return !name.empty() && name.size() <= name_bytes_max && name.front() != '.' &&
         std::ranges::all_of(name, good);
}

bool read_file_entry(element entry, ManifestFile& file) {
  std::string_view path;
  std::string_view stored;
  uint64_t crc = 0;
  const bool read = entry["path"].get(path) == SUCCESS && entry["stored"].get(stored) == SUCCESS &&
                    entry["size"].get(file.size) == SUCCESS &&
                    entry["crc32c"].get(crc) == SUCCESS &&
                    entry["final"].get(file.final) == SUCCESS;
  if (!read || crc > UINT32_MAX || !is_path_of_data(path) || !is_stored_name(stored)) return false;
  file.path = path;
  file.stored = stored;
  file.crc = static_cast<uint32_t>(crc);
  return true;
}

}  // namespace

std::string to_json(const Manifest& manifest) {
  std::string text;
  JsonWriter json(text);
  json.begin_object()
      .member("format", format)
      .member("directory_id", manifest.directory_id)
      .member("number", manifest.number)
      .member("began_at", to_rfc3339(manifest.began_at))
      .key("files")
      .begin_array();
  for (const ManifestFile& file : manifest.files) {
    json.begin_object()
        .member("path", file.path)
        .member("stored", file.stored)
        .member("size", file.size)
        .member("crc32c", file.crc)
        .member("final", file.final)
        .end_object();
  }
  json.end_array().end_object();
  text += '\n';
  return text;
}

std::optional<Manifest> parse_manifest(std::string_view json, std::string& problem) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(json.data(), json.size()).get(root) != SUCCESS || !root.is_object()) {
    problem = "is not a JSON object";
    return std::nullopt;
  }
  uint64_t version = 0;
  if (root["format"].get(version) == SUCCESS && version > format) {
    problem = "is of a newer ringpost; use that one";
    return std::nullopt;
  }
  Manifest manifest;
  std::string_view began_at;
  simdjson::dom::array files;
  const bool read =
      version == format && root["directory_id"].get(manifest.directory_id) == SUCCESS &&
      root["number"].get(manifest.number) == SUCCESS && root["began_at"].get(began_at) == SUCCESS &&
      root["files"].get(files) == SUCCESS && parse_rfc3339(began_at);
  if (!read) {
    problem = "lacks members that a backup has";
    return std::nullopt;
  }
  manifest.began_at = *parse_rfc3339(began_at);
  std::set<std::string> paths;
  for (const element entry : files) {
    ManifestFile file;
    if (!read_file_entry(entry, file) || !paths.insert(file.path).second) {
      problem = "names a file that does not belong into a data directory";
      return std::nullopt;
    }
    manifest.files.push_back(std::move(file));
  }
  if (!paths.contains(store_name)) {
    problem = "names no control.db";
    return std::nullopt;
  }
  return manifest;
}

}  // namespace ringpost::backup
