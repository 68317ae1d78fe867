// vitcl data fetch: published data sets from the net.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "command.hpp"
#include "console.hpp"
#include "options.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/data/fetch.hpp"
#include "vitcl/data/load.hpp"

namespace vitcl::cli {
namespace {

namespace fs = std::filesystem;

struct Options : CommonOptions {
  std::string name, data_dir;
  std::vector<std::string> mirrors;
};

/// The first of the places where data sets are looked for.
fs::path target(const Options& options) {
  if (!options.data_dir.empty()) return options.data_dir;
  const char* variable = std::getenv("VITCL_DATA_DIR");
  if (variable != nullptr && *variable != '\0') return variable;
  if (fs::path cache = data::user_cache(); !cache.empty()) return cache;
  throw UsageError("neither $VITCL_DATA_DIR nor $HOME is set: name a folder with --data-dir");
}

/// One line on a terminal that tells how far a download is.
class DownloadBar {
 public:
  explicit DownloadBar(bool quiet) : shown_(!quiet && is_terminal(stderr)) {}
  ~DownloadBar() { clear(); }
  DownloadBar(const DownloadBar&) = delete;
  DownloadBar& operator=(const DownloadBar&) = delete;

  void show(const std::string& file, uint64_t bytes, uint64_t total) {
    const uint64_t percent = total == 0 ? 0 : 100 * bytes / total;
    if (!shown_ || (file == file_ && percent == percent_ && bytes - bytes_ < least_bytes)) return;
    file_ = file;
    percent_ = percent;
    bytes_ = bytes;
    constexpr size_t length = 30;
    const size_t done = std::min(length, static_cast<size_t>(percent) * length / 100);
    fmt::print(stderr, "\r{} {}{} {:>3} %  {}\x1b[K", file, std::string(done, '#'), std::string(length - done, '.'),
               percent, in_bytes(static_cast<double>(bytes)));
    std::fflush(stderr);
    drawn_ = true;
  }
  void clear() {
    if (drawn_) fmt::print(stderr, "\r\x1b[K");
    drawn_ = false;
  }

 private:
  static constexpr uint64_t least_bytes = 1 << 18;
  bool shown_, drawn_ = false;
  std::string file_;
  uint64_t percent_ = 0, bytes_ = 0;
};

int fetch(const Options& options) {
  const data::RemoteSet& set = data::remote_set(options.name);
  for (const std::string& mirror : options.mirrors)
    if (!mirror.starts_with("https://") && !mirror.starts_with("http://"))
      throw UsageError(fmt::format("--mirror: got \"{}\", want a URL that begins with https:// or http://", mirror));
  DownloadBar bar(options.quiet);
  const fs::path folder = data::fetch(set, {.folder = target(options),
                                            .mirrors = options.mirrors,
                                            .progress = [&](const std::string& file, uint64_t bytes, uint64_t total) {
                                              bar.show(file, bytes, total);
                                            }});
  bar.clear();
  print("{} is in {}; to train on it: vitcl train --data {}{}\n", set.name, folder.string(), set.name,
        options.data_dir.empty() ? "" : " --data-dir " + options.data_dir);
  return exit_done;
}

}  // namespace

Command add_data_fetch(CLI::App& root, CLI::App& data) {
  auto options = std::make_shared<Options>();
  CLI::App* app = data.add_subcommand("fetch", "Download a data set, checked and resumable");
  app->add_option("NAME", options->name, "mnist, fashion-mnist or cifar10")->required()->option_text(" ");
  app->add_option("--mirror", options->mirrors, "get the files from this URL's folder instead; may be repeated")
      ->option_text("URL");
  app->add_option("--data-dir", options->data_dir,
                  "put them in a sub-folder of DIR [$VITCL_DATA_DIR, or the user's cache]")
      ->option_text("DIR");
  add_quiet(*app, *options);
  return {app, [options, app, &root] {
            complete_options(root, *app);
            return fetch(*options);
          }};
}

}  // namespace vitcl::cli
