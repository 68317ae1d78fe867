#include "vitcl/train/run_folder.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "vitcl/backend/error.hpp"
#include "vitcl/io/atomic_file.hpp"
#include "vitcl/io/safetensors.hpp"
#include "vitcl/train/metrics.hpp"

namespace vitcl::train {
namespace {

namespace fs = std::filesystem;

bool is_run_file(const fs::path& file) {
  std::string name = file.filename().string();
  return name == "config.toml" || name == "environment.json" ||
         (name.starts_with("checkpoint-") && name.ends_with(".safetensors"));
}

bool is_numbered_checkpoint(const fs::path& file) {
  const std::string name = file.filename().string();
  return is_run_file(file) && name.find_first_of("0123456789") == std::string_view("checkpoint-").size();
}

/// Renames a file to the first free one of NAME.damaged, NAME.damaged-2, ..., and returns that.
fs::path set_aside(const fs::path& file) {
  fs::path name = file;
  name += ".damaged";
  for (size_t i = 2; fs::exists(name); ++i) name = fmt::format("{}.damaged-{}", file.string(), i);
  fs::rename(file, name);
  return name;
}

/// `path` or the closest folder above it that exists.
fs::path existing_part(const fs::path& path) {
  fs::path part = fs::absolute(path).lexically_normal();
  while (!fs::exists(part) && part.has_relative_path()) part = part.parent_path();
  return part;
}

void require_writable(const fs::path& path, const fs::path& part) {
  if (!fs::is_directory(part)) {
    throw StorageError(fmt::format("--output {}: {} is a file, not a folder", path.string(), part.string()));
  }
  if (access(part.c_str(), W_OK | X_OK) != 0) {
    throw StorageError(fmt::format("--output {}: can't write in the folder {}; choose another with --output",
                                   path.string(), part.string()));
  }
}

void require_space(const fs::path& path, const fs::path& part, size_t needed_bytes) {
  std::error_code error;
  fs::space_info space = fs::space(part, error);
  if (error || space.available >= needed_bytes) return;
  throw StorageError(
      fmt::format("--output {}: the run's checkpoints take {:.1f} MB and {} has {:.1f} MB free; make room, choose "
                  "another folder with --output, or save less often with --checkpoint-every",
                  path.string(), static_cast<double>(needed_bytes) * 1e-6, part.string(),
                  static_cast<double>(space.available) * 1e-6));
}

}  // namespace

void RunFolder::check(const fs::path& path, bool overwrite, size_t needed_bytes) {
  fs::path part;
  try {
    part = existing_part(path);
    require_writable(path, part);
    if (fs::is_directory(path) && !fs::is_empty(path) && !overwrite) {
      throw StorageError(
          fmt::format("--output {}: the folder is not empty; go on with its run by `vitcl train --resume {}`, replace "
                      "the run with --overwrite, or choose another folder",
                      path.string(), path.string()));
    }
  } catch (const fs::filesystem_error& error) {
    throw StorageError(fmt::format("--output {}: {}", path.string(), error.code().message()));
  }
  require_space(path, part, needed_bytes);
}

RunFolder RunFolder::create(const fs::path& path, bool overwrite, size_t needed_bytes) {
  check(path, overwrite, needed_bytes);
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw StorageError(fmt::format("--output {}: can't make the folder: {}", path.string(), error.message()));
  RunFolder folder(path);
  folder.remove_old_run();
  return folder;
}

void RunFolder::remove_old_run() const {
  if (!fs::exists(metrics_file())) return;
  MetricsLog emptied(metrics_file(), 0, 0);  // refuses while another process trains here
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(path_)) {
    if (is_run_file(entry.path())) old.push_back(entry.path());
  }
  for (const fs::path& file : old) fs::remove(file);
}

RunFolder RunFolder::open(const fs::path& path) {
  RunFolder folder(path);
  if (!fs::is_regular_file(folder.config_file())) {
    throw StorageError(fmt::format("{} is not the folder of a run: it holds no config.toml", path.string()));
  }
  return folder;
}

fs::path RunFolder::checkpoint(size_t step) const { return path_ / fmt::format("checkpoint-{:08}.safetensors", step); }

/// From the newest on. Steps beyond eight digits have longer names.
std::vector<fs::path> RunFolder::numbered_checkpoints() const {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path_)) {
    if (is_numbered_checkpoint(entry.path())) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    return std::pair(a.native().size(), a.native()) > std::pair(b.native().size(), b.native());
  });
  return files;
}

std::vector<fs::path> RunFolder::checkpoints() const {
  std::vector<fs::path> files = numbered_checkpoints();
  if (fs::exists(last_checkpoint())) files.insert(files.begin(), last_checkpoint());
  if (fs::exists(best_checkpoint())) files.push_back(best_checkpoint());
  return files;
}

std::optional<Resumable> RunFolder::load_newest() const {
  std::vector<std::pair<fs::path, std::string>> damaged;
  for (const fs::path& file : checkpoints()) {
    try {
      Resumable found{file, load_checkpoint(file), {}};
      for (const auto& [bad, why] : damaged) {
        found.set_aside.push_back(fmt::format("{}. It is kept as {}; the run goes on from {}, after step {}", why,
                                              set_aside(bad).filename().string(), file.filename().string(),
                                              found.checkpoint.position.step));
      }
      return found;
    } catch (const io::DamagedFile& error) {
      damaged.emplace_back(file, error.what());
    }
  }
  if (damaged.empty()) return std::nullopt;
  throw StorageError(fmt::format(
      "no checkpoint of {} is whole: {}. To train it again from the start: vitcl train --config {} --output "
      "NEW",
      path_.string(), damaged.front().second, config_file().string()));
}

void RunFolder::write_config(const TrainConfig& config) const { io::write_text_file(config_file(), to_toml(config)); }

TrainConfig RunFolder::read_config() const {
  std::ifstream file(config_file());
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) {
    throw StorageError(fmt::format("can't read {}", config_file().string()));
  }
  return config_from_toml(text.str(), config_file().string());
}

void RunFolder::save(const Checkpoint& state, Names names, size_t history) const {
  std::vector<fs::path> files;
  if (names.step) files.push_back(checkpoint(state.position.step));
  if (names.best) files.push_back(best_checkpoint());
  files.push_back(last_checkpoint());
  save_checkpoint(files, state);
  const std::vector<fs::path> numbered = numbered_checkpoints();
  std::error_code ignored;  // one too many is no reason to end a run
  for (size_t i = history; history > 0 && i < numbered.size(); ++i) fs::remove(numbered[i], ignored);
}

}  // namespace vitcl::train
