#include "progress_view.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "console.hpp"

namespace vitcl::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds between_plain_lines{10};

/// Whether the locale's characters are UTF-8, so that a finer bar can be drawn.
bool is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string locale = value;
    return locale.find("UTF-8") != std::string::npos || locale.find("utf8") != std::string::npos;
  }
  return false;
}

std::string repeated(const char* text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

}  // namespace

ProgressView::ProgressView(bool quiet, size_t epochs, std::vector<std::string> devices)
    : quiet_(quiet),
      bar_(!quiet && is_terminal(stderr)),
      colour_(has_colour(stderr)),
      unicode_(is_utf8()),
      epochs_(epochs),
      devices_(std::move(devices)),
      last_line_(Clock::now()) {}

ProgressView::~ProgressView() { clear(); }

void ProgressView::draw(const std::string& line) {
  fmt::print(stderr, "\r{}\x1b[K", line);
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressView::clear() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
  drawn_ = false;
}

void ProgressView::on_progress(const train::Progress& progress) {
  if (quiet_) return;
  const std::string counts = fmt::format("epoch {}/{}", progress.epoch, progress.epochs);
  const std::string figures =
      fmt::format("{}/{}  loss {:.4f}  {:.0f} images/s  {} left", progress.step, progress.steps, progress.train_loss,
                  progress.images_per_second, clock_time(progress.seconds_left));
  if (!bar_) {
    if (Clock::now() - last_line_ < between_plain_lines || progress.step == progress.steps) return;
    last_line_ = Clock::now();
    fmt::print(stderr, "{}  step {}\n", counts, figures);
    return;
  }
  constexpr size_t longest_bar = 40, margin = 4;
  const size_t taken = counts.size() + figures.size() + margin;
  const size_t length = std::min(longest_bar, terminal_width() > taken ? terminal_width() - taken : 0);
  const size_t done = progress.steps == 0 ? 0 : length * progress.step / progress.steps;
  const std::string full = repeated(unicode_ ? "━" : "#", done), rest = repeated(unicode_ ? "─" : ".", length - done);
  draw(fmt::format("{} {}{}{}{} {}", counts, colour_ ? "\x1b[32m" : "", full, colour_ ? "\x1b[0m" : "", rest, figures));
}

void ProgressView::on_evaluation_start() {
  if (bar_) draw("testing");
}

void ProgressView::on_epoch(const train::EpochMetrics& metrics, bool best) {
  if (quiet_) return;
  clear();
  if (!header_printed_) {
    fmt::print(stderr, "{:>7}  {:>10}  {:>9}  {:>13}  {:>8}  {:>7}\n", "epoch", "train loss", "test loss",
               "test accuracy", "images/s", "seconds");
  }
  header_printed_ = true;
  fmt::print(stderr, "{:>7}  {:>10.4f}  {:>9.4f}  {:>11.2f} %  {:>8.0f}  {:>7.1f}{}\n",
             fmt::format("{}/{}", metrics.epoch, epochs_), metrics.train_loss, metrics.test_loss,
             100 * metrics.test_accuracy, metrics.train_images_per_second, metrics.train_seconds + metrics.test_seconds,
             best ? "  best" : "");
  last_line_ = Clock::now();
}

void ProgressView::on_shares(const std::vector<size_t>& images) {
  if (quiet_) return;
  clear();
  std::string shares;
  for (size_t i = 0; i < images.size(); ++i) shares += fmt::format("{}{}: {}", i > 0 ? ", " : "", i + 1, images[i]);
  const bool idle = std::find(images.begin(), images.end(), size_t{0}) != images.end();
  fmt::print(stderr, "shares  images of a step by device: {}{}\n", shares,
             idle ? " (0: it would slow the others, or is lost)" : "");
}

void ProgressView::on_lost_device(size_t device, const std::string& reason) {
  clear();
  const bool last = ++lost_ == devices_.size();
  fmt::print(stderr, "lost    {}: {}{}\n", devices_[device], reason,
             last ? "" : ". It is left out; the other devices compute its part of the step again");
}

}  // namespace vitcl::cli
