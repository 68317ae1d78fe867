#include "child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <system_error>

#include "vitcl/backend/error.hpp"

extern char** environ;

namespace vitcl::train {
namespace {

using Clock = std::chrono::steady_clock;

/// The ends of a pipe; neither is passed on to children.
struct Pipe {
  int read_end = -1, write_end = -1;
  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw StorageError(fmt::format("can't make a pipe: {}", std::generic_category().message(errno)));
    }
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    close(read_end);
    close_write_end();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_write_end() {
    if (write_end >= 0) close(write_end);
    write_end = -1;
  }
};

pid_t start(const std::vector<std::string>& command, int out) {
  std::vector<std::string> words = command;
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  pid_t process = 0;
  const int error = posix_spawn(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error == 0) return process;
  throw StorageError(fmt::format("can't start {}: {}", words[0], std::generic_category().message(error)));
}

/// Reads until the other end is closed; false where the time was over before.
bool read_until(int descriptor, Clock::time_point latest, std::string& out) {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(latest - Clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{descriptor, POLLIN, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left, 60'000)));
    if (ready <= 0) continue;  // the time is over, or a signal came
    std::array<char, 4096> chunk;
    const ssize_t count = read(descriptor, chunk.data(), chunk.size());
    if (count > 0) out.append(chunk.data(), static_cast<size_t>(count));
    if (count == 0 || (count < 0 && errno != EINTR)) return true;
  }
}

}  // namespace

ChildResult run_child(const std::vector<std::string>& command, double seconds) {
  Pipe pipe;
  const pid_t process = start(command, pipe.write_end);
  pipe.close_write_end();
  ChildResult result;
  const auto limit = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  result.timed_out = !read_until(pipe.read_end, Clock::now() + limit, result.out);
  if (result.timed_out) kill(process, SIGKILL);
  while (waitpid(process, &result.status, 0) < 0 && errno == EINTR) {
  }
  return result;
}

}  // namespace vitcl::train
