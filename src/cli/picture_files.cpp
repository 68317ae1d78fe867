#include "picture_files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

#include "console.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::cli {
namespace {

namespace fs = std::filesystem;

std::vector<PictureFile> pictures_in(const fs::path& folder) {
  std::vector<PictureFile> files;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (io::is_picture_name(entry->path()) && entry->symlink_status().type() == fs::file_type::regular)
      files.push_back({entry->path(), true});
  }
  if (error) throw DataError(fmt::format("can't read the folder {}: {}", folder.string(), error.message()));
  if (files.empty()) throw DataError(fmt::format("the folder {} holds no .png, .jpg or .jpeg files", folder.string()));
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return files;
}

/// Standard input as a file without a name, as decoders want to go back in it.
class Spooled {
 public:
  Spooled() : file_(std::tmpfile(), std::fclose) {
    std::array<char, 1 << 16> block{};
    bool whole = file_ != nullptr;
    for (size_t count = 0, all = 0; whole; all += count) {
      count = std::fread(block.data(), 1, block.size(), stdin);
      if (count == 0) break;
      if (all > most_bytes)
        throw DataError(fmt::format("standard input has more than {} bytes; an image is wanted", most_bytes));
      whole = std::fwrite(block.data(), 1, count, file_.get()) == count;
    }
    if (!whole || std::ferror(stdin) != 0 || std::fflush(file_.get()) != 0)
      throw DataError("can't read an image from standard input");
  }
  fs::path path() const { return fmt::format("/dev/fd/{}", fileno(file_.get())); }

 private:
  static constexpr size_t most_bytes = size_t{1} << 28;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

}  // namespace

std::vector<PictureFile> picture_files(const std::vector<std::string>& arguments) {
  std::vector<PictureFile> files;
  for (const std::string& argument : arguments) {
    if (fs::is_directory(argument)) {
      const std::vector<PictureFile> inside = pictures_in(argument);
      files.insert(files.end(), inside.begin(), inside.end());
    } else if (argument != "-" && !fs::exists(argument)) {
      throw DataError(fmt::format("there is no file or folder {}", argument));
    } else {
      files.push_back({argument, false});
    }
  }
  return files;
}

void tell_left_out(const data::Dataset& dataset) {
  constexpr size_t most = 10;
  const std::vector<std::string>& errors = dataset.unreadable;
  if (errors.empty()) return;
  for (size_t i = 0; i < std::min(errors.size(), most); ++i) print_error("skipped: " + errors[i]);
  print_error(fmt::format("{} can't be read and {} left out; --strict refuses {}",
                          errors.size() == 1 ? "1 picture" : grouped(errors.size()) + " pictures",
                          errors.size() == 1 ? "is" : "are", errors.size() == 1 ? "it" : "them"));
}

io::Image read_picture(const PictureFile& file) {
  if (file.path != "-") return io::read_image(file.path);
  const Spooled input;
  return io::read_image(input.path());
}

}  // namespace vitcl::cli
