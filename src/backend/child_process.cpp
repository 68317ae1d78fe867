#include "backend/child_process.hpp"

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
#include <cstring>
#include <system_error>
#include <thread>

#include "vitcl/backend/error.hpp"

extern char** environ;

namespace vitcl {
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

/// As exec() wants them; valid as long as `texts`.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// This process's environment with `variables` in it.
std::vector<std::string> environment_with(const std::map<std::string, std::string>& variables) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!variables.contains(text.substr(0, text.find('=')))) entries.push_back(text);
  }
  for (const auto& [name, value] : variables) entries.push_back(fmt::format("{}={}", name, value));
  return entries;
}

pid_t start(std::vector<std::string> words, std::vector<std::string> environment, int out) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  pid_t process = 0;
  const int error = posix_spawn(&process, words[0].c_str(), &actions, nullptr, pointers_to(words).data(),
                                pointers_to(environment).data());
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

/// Waits for the process to end; false where the time was over before.
bool wait_until(pid_t process, Clock::time_point latest, int& status) {
  constexpr auto pause = std::chrono::milliseconds(1);
  while (waitpid(process, &status, WNOHANG) == 0) {
    if (Clock::now() >= latest) return false;
    std::this_thread::sleep_for(pause);
  }
  return true;
}

}  // namespace

ChildResult run_child(const std::vector<std::string>& command, double seconds,
                      const std::map<std::string, std::string>& variables) {
  Pipe pipe;
  const pid_t process = start(command, environment_with(variables), pipe.write_end);
  pipe.close_write_end();
  ChildResult result;
  const auto limit = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  const auto latest = Clock::now() + limit;
  result.timed_out = !read_until(pipe.read_end, latest, result.out) || !wait_until(process, latest, result.status);
  if (!result.timed_out) return result;
  kill(process, SIGKILL);
  while (waitpid(process, &result.status, 0) < 0 && errno == EINTR) {
  }
  return result;
}

std::string last_line(const ChildResult& child) {
  const size_t end = child.out.find_last_not_of('\n');
  if (end == std::string::npos) return "";
  const size_t before = child.out.rfind('\n', end);
  const size_t start = before == std::string::npos ? 0 : before + 1;
  return child.out.substr(start, end + 1 - start);
}

std::string failure_of(const ChildResult& child, double seconds) {
  return child.timed_out ? fmt::format("it did not finish within {} s", seconds) : crash_of(child);
}

std::string crash_of(const ChildResult& child) {
  if (!WIFSIGNALED(child.status)) return "";
  const int signal = WTERMSIG(child.status);
  return fmt::format("it crashed: signal {} ({})", signal, strsignal(signal));
}

}  // namespace vitcl
