#include "picture_files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <memory>

#include "vitcl/backend/error.hpp"

namespace vitcl::cli {
namespace {

namespace fs = std::filesystem;

bool is_picture(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

std::vector<PictureFile> pictures_in(const fs::path& folder) {
  std::vector<PictureFile> files;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (is_picture(entry->path()) && entry->symlink_status().type() == fs::file_type::regular)
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
    while (whole) {
      const size_t count = std::fread(block.data(), 1, block.size(), stdin);
      if (count == 0) break;
      whole = std::fwrite(block.data(), 1, count, file_.get()) == count;
    }
    if (!whole || std::ferror(stdin) != 0 || std::fflush(file_.get()) != 0)
      throw DataError("can't read an image from standard input");
  }
  fs::path path() const { return fmt::format("/dev/fd/{}", fileno(file_.get())); }

 private:
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

io::Image read_picture(const PictureFile& file) {
  if (file.path != "-") return io::read_image(file.path);
  const Spooled input;
  return io::read_image(input.path());
}

}  // namespace vitcl::cli
