#include "vitcl/train/metrics.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

namespace fs = std::filesystem;
using train::MetricsLog;

std::vector<std::string> lines(const fs::path& path) {
  std::vector<std::string> all;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) all.push_back(line);
  return all;
}

/// Two epochs of two steps.
void write_run(const fs::path& path) {
  MetricsLog log(path, 0, 0);
  log.add(train::StepMetrics{1, 1, 2.5, 0.003});
  log.add(train::StepMetrics{2, 1, 2.25, 0.003});
  log.add(train::EpochMetrics{1, 2.375, 2, 0.5, 100, 1.5, 0.5});
  log.add(train::StepMetrics{3, 2, 2.125, 0.003});
  log.add(train::StepMetrics{4, 2, 2, 0.003});
  log.add(train::EpochMetrics{2, 2.0625, 1.5, 0.75, 100, 1.5, 0.5});
}

TEST(Metrics, HaveExactlyTheseKeys) {
  const TemporaryFolder folder;
  write_run(folder / "m");
  EXPECT_EQ(lines(folder / "m")[0], R"({"type":"step","step":1,"epoch":1,"train_loss":2.5,"lr":0.003})");
  EXPECT_EQ(lines(folder / "m")[2],
            R"({"type":"epoch","epoch":1,"train_loss":2.375,"test_loss":2.0,"test_accuracy":0.5,)"
            R"("train_images_per_second":100.0,"train_seconds":1.5,"test_seconds":0.5})");
}

TEST(Metrics, AreCutBackToWhereARunGoesOn) {
  const TemporaryFolder folder;
  struct Place {
    size_t steps, epochs, lines;
  };
  for (const Place& place : {Place{0, 0, 0}, Place{1, 0, 1}, Place{2, 0, 2}, Place{2, 1, 3}, Place{3, 1, 4},
                             Place{4, 1, 5}, Place{4, 2, 6}, Place{9, 9, 6}}) {
    write_run(folder / "m");
    const std::vector<std::string> before = lines(folder / "m");
    const MetricsLog log(folder / "m", place.steps, place.epochs);
    EXPECT_EQ(lines(folder / "m"),
              std::vector<std::string>(before.begin(), before.begin() + static_cast<long>(place.lines)))
        << place.steps << " steps, " << place.epochs << " epochs";
  }
}

TEST(Metrics, LoseALineThatWasHalfWritten) {
  const TemporaryFolder folder;
  for (const size_t missing : {1U, 2U, 20U}) {  // the newline alone; the brace, too; more
    write_run(folder / "m");
    fs::resize_file(folder / "m", fs::file_size(folder / "m") - missing);
    MetricsLog(folder / "m", 4, 2).add(train::StepMetrics{5, 3, 1, 0.003});
    ASSERT_EQ(lines(folder / "m").size(), 6U);
    EXPECT_EQ(nlohmann::json::parse(lines(folder / "m")[5]).at("step"), 5);
  }
}

TEST(Metrics, AreWrittenByOneProcessAtATime) {
  const TemporaryFolder folder;
  const MetricsLog first(folder / "m", 0, 0);
  EXPECT_TRUE(says(error_of<StorageError>([&] { MetricsLog(folder / "m", 0, 0); }), {"another process"}));
}

TEST(Metrics, SayWhereTheyCannotBeWritten) {
  EXPECT_TRUE(says(error_of<StorageError>([] { MetricsLog("/nowhere/m", 0, 0); }), {"/nowhere/m", "No such file"}));
}

}  // namespace
}  // namespace vitcl::test
