#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace vitcl::io {

/// A file that appears under its name whole or not at all: written to a temporary file in the same folder, forced to
/// the disk, renamed, and the folder forced to the disk. Until commit() the old file, if any, is untouched; a file that
/// is destroyed before leaves nothing behind. Every failure throws StorageError with the path and the system's reason.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const uint8_t> bytes);
  void write(std::string_view text);
  void commit();

 private:
  [[noreturn]] void fail(const char* action, int error) const;
  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
};

/// Writes a whole text file through AtomicFile.
void write_text_file(const std::filesystem::path& path, std::string_view text);

/// Removes the temporary files that killed processes left in `folder`, and returns how many there were. Only for a
/// folder that no other process writes to.
size_t remove_partial_files(const std::filesystem::path& folder);

}  // namespace vitcl::io
