#include "vitcl/train/metrics.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "vitcl/backend/error.hpp"

namespace vitcl::train {
namespace {

using nlohmann::ordered_json;

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw StorageError(fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno)));
}

/// Whether a line belongs to the part of the run that `steps` and `epochs` cover.
bool is_kept(const std::string& line, size_t steps, size_t epochs) {
  auto object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object()) return false;
  std::string type = object.value("type", "");
  if (type == "step") return object.value("step", steps + 1) <= steps;
  return type == "epoch" && object.value("epoch", epochs + 1) <= epochs;
}

/// The length of the file's leading lines that are complete and kept.
size_t kept_bytes(const std::filesystem::path& path, size_t steps, size_t epochs) {
  std::ifstream file(path);
  std::string line;
  size_t bytes = 0;
  while (std::getline(file, line) && !file.eof() && is_kept(line, steps, epochs)) bytes += line.size() + 1;
  return bytes;
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& path, size_t steps, size_t epochs) : path_(path) {
  int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) fail(path, "can't open");
  file_.reset(fdopen(descriptor, "r+"));
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    throw StorageError(
        fmt::format("{}: another process is training in this folder; wait for it or end it, or choose "
                    "another folder with --output",
                    path.string()));
  }
  if (ftruncate(descriptor, static_cast<off_t>(kept_bytes(path, steps, epochs))) != 0) fail(path, "can't shorten");
  if (std::fseek(file_.get(), 0, SEEK_END) != 0) fail(path, "can't seek");
}

void MetricsLog::write(const std::string& line) {
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size()) fail(path_, "can't write");
}

void MetricsLog::add(const StepMetrics& metrics) {
  ordered_json line = {{"type", "step"},
                       {"step", metrics.step},
                       {"epoch", metrics.epoch},
                       {"train_loss", metrics.train_loss},
                       {"lr", metrics.lr}};
  write(line.dump() + '\n');
}

void MetricsLog::add(const EpochMetrics& metrics) {
  ordered_json line = {{"type", "epoch"},
                       {"epoch", metrics.epoch},
                       {"train_loss", metrics.train_loss},
                       {"test_loss", metrics.test_loss},
                       {"test_accuracy", metrics.test_accuracy},
                       {"train_images_per_second", metrics.train_images_per_second},
                       {"train_seconds", metrics.train_seconds},
                       {"test_seconds", metrics.test_seconds}};
  if (metrics.data_wait) line["data_wait"] = *metrics.data_wait;
  write(line.dump() + '\n');
}

void MetricsLog::sync() {
  if (std::fflush(file_.get()) != 0 || fdatasync(fileno(file_.get())) != 0) fail(path_, "can't write");
}

}  // namespace vitcl::train
