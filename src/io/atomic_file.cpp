#include "vitcl/io/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "vitcl/backend/error.hpp"

namespace vitcl::io {
namespace {

constexpr std::string_view suffix = ".partial";

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

/// Makes the rename itself durable. File systems that can't sync a folder say EINVAL; they need no such call.
int sync_folder(const std::filesystem::path& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  const int error = fsync(descriptor) == 0 || errno == EINVAL ? 0 : errno;
  close(descriptor);
  return error;
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  temporary_ = folder_of(path_) / fmt::format(".{}.{}{}", path_.filename().string(), getpid(), suffix);
  unlink(temporary_.c_str());  // left by a killed process of the same id
  constexpr mode_t mode = 0666;
  descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
  if (descriptor_ < 0) fail("create a file beside it", errno);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("write it", errno);
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

void AtomicFile::write(std::string_view text) {
  write(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

void AtomicFile::commit() {
  if (fsync(descriptor_) != 0 && errno != EINVAL) fail("force it to the disk", errno);
  if (rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename the finished file to it", errno);
  close(descriptor_);
  descriptor_ = -1;
  if (const int error = sync_folder(folder_of(path_)); error != 0) fail("force its folder to the disk", error);
}

void AtomicFile::fail(const char* action, int error) const {
  throw StorageError(fmt::format("can't save {}: to {} failed: {}. Free some space or choose another folder.",
                                 path_.string(), action, std::generic_category().message(error)));
}

void write_text_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

size_t remove_partial_files(const std::filesystem::path& folder) {
  size_t count = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with('.') || !name.ends_with(suffix)) continue;
    if (std::filesystem::remove(entry.path(), error)) ++count;
  }
  return count;
}

}  // namespace vitcl::io
