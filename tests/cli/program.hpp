#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/devices.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/verdict_store.hpp"

namespace vitcl::test {

using Arguments = std::vector<std::string>;

inline Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

struct Result {
  int code = -1;  ///< the exit code, or 128 + the signal that ended it
  std::string out, err;
};
inline std::ostream& operator<<(std::ostream& stream, const Result& result) {
  return stream << "exit " << result.code << "\n" << result.out << result.err;
}

/// Runs the real program in a working directory of its own. Of vitcl's environment variables it sees those set here.
class Program {
 public:
  std::map<std::string, std::string> environment;
  rlim_t most_file_bytes = RLIM_INFINITY;  ///< a longer file can't be written, as on a full disk

  /// Starts the program and waits for its end.
  Result run(const Arguments& arguments) { return finish(start(arguments)); }

  /// Starts it, sends `signal` once `file` exists in the working directory, and waits for its end.
  Result run_until(const std::string& file, int signal, const Arguments& arguments) {
    const pid_t process = start(arguments);
    using namespace std::chrono_literals;
    const auto latest = std::chrono::steady_clock::now() + 120s;
    while (!std::filesystem::exists(*this / file) && std::chrono::steady_clock::now() < latest) {
      std::this_thread::sleep_for(2ms);
    }
    kill(process, signal);
    return finish(process);
  }

  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

 private:
  pid_t start(const Arguments& arguments) {
    std::vector<std::string> words = {VITCL_PROGRAM};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    const std::string out = output_ / "out", err = output_ / "err", folder = folder_.path();
    const pid_t process = fork();
    if (process != 0) return process;
    for (const char* name : {"VITCL_DEVICE", "VITCL_DATA_DIR", "VITCL_IMPL", "NO_COLOR"}) unsetenv(name);
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    redirect(out, STDOUT_FILENO);
    redirect(err, STDERR_FILENO);
    limit_files();
    if (chdir(folder.c_str()) == 0) execv(VITCL_PROGRAM, pointers.data());
    _exit(127);
  }

  static void redirect(const std::string& path, int descriptor) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || dup2(file, descriptor) < 0) _exit(127);
  }

  void limit_files() const {
    if (most_file_bytes == RLIM_INFINITY) return;
    const rlimit limit{most_file_bytes, most_file_bytes};
    std::signal(SIGXFSZ, SIG_IGN);  // writes fail instead of ending the process
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(127);
  }

  Result finish(pid_t process) {
    int status = 0;
    waitpid(process, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text(output_ / "out"),
            text(output_ / "err")};
  }

  static std::string text(const std::filesystem::path& path) {
    std::ostringstream all;
    all << std::ifstream(path).rdbuf();
    return all.str();
  }

  TemporaryFolder folder_, output_;
};

/// The base of suites that need a device; they use the one that `auto` names.
class ProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (list_devices().empty()) GTEST_SKIP() << "no OpenCL device; install pocl-opencl-icd";
  }
  /// The arguments of a run of a second: few of the built-in digits, a small model, eleven steps an epoch.
  static Arguments small_run(const std::string& output) {
    return Arguments{"train", "--data",       "digits", "--train-samples", "84",  "--test-samples",
                     "20",    "--batch-size", "8",      "--patch-size",    "14",  "--dim",
                     "8",     "--depth",      "1",      "--heads",         "2",   "--mlp-dim",
                     "8",     "--epochs",     "2",      "--output",        output};
  }
  /// The steps that the run's metrics.jsonl holds, in their order.
  std::vector<size_t> logged_steps(const std::string& run) {
    std::vector<size_t> steps;
    std::ifstream file(program / (run + "/metrics.jsonl"));
    for (std::string line; std::getline(file, line);) {
      const auto object = nlohmann::json::parse(line);
      if (object.at("type") == "step") steps.push_back(object.at("step"));
    }
    return steps;
  }
  std::vector<uint8_t> bytes(const std::string& file) { return read_file(program / file); }

  /// Puts the verdict on the device into another cache folder, so that training does not begin with a self-test there.
  void take_verdict_to(const std::filesystem::path& cache) {
    const DeviceInfo device = select_device("auto");
    const VerdictStore kept;
    if (!kept.load(device)) {
      const Result tested = Program().run({"doctor", "--device", "auto"});
      ASSERT_EQ(tested.code, 0) << tested;
    }
    VerdictStore(cache / "verdicts.jsonl").save(device, kept.load(device).value());
  }

  Program program;
};

}  // namespace vitcl::test
