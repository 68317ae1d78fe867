#include "train/share_policy.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>

namespace vitcl::test {
namespace {

using train::MeasuredShares;
using train::StepTimes;
using Shares = std::vector<size_t>;

/// Devices whose steps take what `times` says, and how often the shares changed.
class Simulation {
 public:
  using Times = std::function<StepTimes(const Shares&)>;
  Simulation(size_t shards, const std::vector<double>& first, Times times) : times_(std::move(times)) {
    policy.begin(shards, first);
  }

  void run(size_t steps) {
    for (size_t i = 0; i < steps; ++i) {
      const Shares before = policy.shares();
      EXPECT_EQ(std::accumulate(before.begin(), before.end(), size_t{0}), 8U);
      const StepTimes times = times_(before);
      seconds += times.step;
      policy.took(policy.wants_times() ? std::optional(times) : std::nullopt);
      changes += policy.shares() != before ? 1 : 0;
    }
  }

  MeasuredShares policy;
  double seconds = 0;
  size_t changes = 0;

 private:
  Times times_;
};

/// Devices that don't disturb each other: `seconds` a shard.
Simulation::Times apart(std::vector<double> seconds) {
  return [seconds](const Shares& shares) {
    StepTimes times;
    for (size_t d = 0; d < shares.size(); ++d) {
      times.devices.push_back(static_cast<double>(shares[d]) * seconds[d]);
      times.step = std::max(times.step, times.devices.back());
    }
    return times;
  };
}

/// Devices that take turns on the same processor, each with a cost of its own for taking part.
Simulation::Times together(std::vector<double> seconds, double overhead) {
  return [=](const Shares& shares) {
    StepTimes times;
    for (size_t d = 0; d < shares.size(); ++d) {
      if (shares[d] > 0) times.step += overhead + static_cast<double>(shares[d]) * seconds[d];
    }
    for (const size_t share : shares) times.devices.push_back(share > 0 ? times.step : 0);
    return times;
  };
}

TEST(MeasuredShares, FollowSpeed) {
  Simulation equal(8, {1, 1}, apart({1, 1}));
  equal.run(200);
  EXPECT_EQ(equal.policy.shares(), (Shares{4, 4}));
  Simulation uneven(8, {3, 1}, apart({3, 1}));
  uneven.run(200);
  EXPECT_EQ(uneven.policy.shares(), (Shares{2, 6}));
  EXPECT_TRUE(uneven.policy.settled());
}

TEST(MeasuredShares, CorrectAWrongFirstImpression) {
  Simulation simulation(8, {1, 9}, apart({1, 1}));
  simulation.run(200);
  EXPECT_EQ(simulation.policy.shares(), (Shares{4, 4}));
}

TEST(MeasuredShares, FollowADeviceThatSlowsDown) {
  double second = 1;
  Simulation simulation(8, {1, 1}, [&](const Shares& shares) { return apart({1, second})(shares); });
  simulation.run(200);
  second = 3;
  simulation.run(50);
  EXPECT_EQ(simulation.policy.shares(), (Shares{6, 2}));
}

TEST(MeasuredShares, StayWhereNoiseIsAllThatChanges) {
  size_t step = 0;
  Simulation simulation(8, {1, 1}, [&](const Shares& shares) {
    const double noise = 1 + 0.04 * static_cast<double>(step++ % 3);
    return apart({noise, 1})(shares);
  });
  simulation.run(200);
  simulation.changes = 0;
  simulation.run(8000);
  EXPECT_EQ(simulation.changes, 0U);
}

// Disturbed for a while, with costs that hide what shares between would gain.
TEST(MeasuredShares, EqualDevicesEndWithEqualShares) {
  double first = 2;
  Simulation simulation(8, {1, 1}, [&](const Shares& shares) {
    StepTimes times = apart({first, 1})(shares);
    for (double& seconds : times.devices) seconds += 2;
    times.step += 2;
    return times;
  });
  simulation.run(200);
  EXPECT_EQ(simulation.policy.shares(), (Shares{3, 5}));
  first = 1;
  simulation.run(3000);
  EXPECT_EQ(simulation.policy.shares(), (Shares{4, 4}));
}

TEST(MeasuredShares, GiveNothingToADeviceThatIsTooSlow) {
  Simulation simulation(8, {1, 100}, apart({1, 100}));
  simulation.run(200);
  EXPECT_EQ(simulation.policy.shares(), (Shares{8, 0}));
  EXPECT_FALSE(simulation.policy.wants_times());
}

TEST(MeasuredShares, GiveNothingToADeviceThatSlowsTheOther) {
  constexpr size_t steps = 20000;
  Simulation simulation(8, {1, 2}, together({1, 2}, 0.1));
  simulation.run(200);
  EXPECT_EQ(simulation.policy.shares(), (Shares{8, 0}));
  simulation.run(steps - 200);
  EXPECT_LT(simulation.seconds, 1.05 * 8.1 * steps) << "what trying again costs";
}

TEST(MeasuredShares, OfThreeLeaveOutTheOneThatSlows) {
  // The last two share a processor.
  const auto times = [](const Shares& shares) {
    StepTimes pair = together({1, 3}, 0.1)({shares[1], shares[2]}), all = apart({1})({shares[0]});
    return StepTimes{std::max(pair.step, all.step), {all.devices[0], pair.devices[0], pair.devices[1]}};
  };
  Simulation simulation(8, {1, 1, 3}, times);
  simulation.run(300);
  EXPECT_EQ(simulation.policy.shares(), (Shares{4, 4, 0}));
}

TEST(MeasuredShares, ALostDeviceGetsNothing) {
  Simulation simulation(8, {1, 100, 2}, apart({1, 100, 2}));
  simulation.run(100);
  EXPECT_EQ(simulation.policy.shares()[1], 0U);
  simulation.policy.drop(0);
  EXPECT_EQ(simulation.policy.shares()[0], 0U);
  simulation.run(300);
  EXPECT_EQ(simulation.policy.shares(), (Shares{0, 0, 8}));
  simulation.policy.drop(2);
  EXPECT_EQ(simulation.policy.shares(), (Shares{0, 8, 0}));
}

}  // namespace
}  // namespace vitcl::test
