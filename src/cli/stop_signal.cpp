#include "stop_signal.hpp"

#include <unistd.h>

#include <csignal>

namespace vitcl::cli {
namespace {

std::atomic<bool> stop = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

extern "C" void handle(int) {
  stop = true;
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  constexpr char message[] = "\nvitcl: stopping after this step; again to stop at once\n";
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, message, sizeof(message) - 1);
}

}  // namespace

const std::atomic<bool>& catch_stop_signals() {
  std::signal(SIGINT, handle);
  std::signal(SIGTERM, handle);
  return stop;
}

}  // namespace vitcl::cli
