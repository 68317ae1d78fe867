#include "share_policy.hpp"

#include <algorithm>
#include <limits>

namespace vitcl::train {
namespace {

constexpr size_t window_steps = 8;    // over which times are taken
constexpr size_t most_refits = 4;     // before the first shares are tried
constexpr double worthwhile = 0.95;   // shares change for steps that take less than this part
constexpr size_t first_retry = 1024;  // steps until the shares are looked over again; each time twice as many
constexpr double hopeless = 2;        // a shard that takes as many steps of the others is not tried again

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

void MeasuredShares::begin(size_t shards, const std::vector<double>& seconds) {
  shards_ = shards;
  devices_.assign(seconds.size(), {});
  for (size_t d = 0; d < seconds.size(); ++d) devices_[d].seconds = seconds[d];
  retry_after_ = first_retry;
  start();
}

/// Fits the shares to all devices, from which those that slow the steps are then excluded. Where there is hope, a
/// device gets a shard to show what it can do.
void MeasuredShares::start() {
  for (Device& device : devices_) device.excluded = device.tried = false;
  phase_ = Phase::fitting;
  refits_ = 0;
  std::vector<size_t> shares = fitted();
  const double steps = predicted(shares);
  for (size_t d = 0; d < shares.size(); ++d) {
    const auto largest = std::max_element(shares.begin(), shares.end());
    if (shares[d] > 0 || !hopeful(d, steps) || *largest == 1) continue;
    --*largest;
    ++shares[d];
  }
  use(std::move(shares));
}

bool MeasuredShares::hopeful(size_t device, double step) const {
  return !devices_[device].lost && devices_[device].seconds < hopeless * step;
}

void MeasuredShares::drop(size_t device) {
  if (devices_.empty()) return;
  devices_[device].lost = true;
  start();
}

bool MeasuredShares::wants_times() const { return phase_ != Phase::settled || busy() > 1; }

size_t MeasuredShares::busy() const {
  return static_cast<size_t>(std::count_if(shares_.begin(), shares_.end(), [](size_t share) { return share > 0; }));
}

void MeasuredShares::use(std::vector<size_t> shares) {
  shares_ = std::move(shares);
  window_.clear();
  skip_ = 2;
}

/// Each shard to the device that would be done with it first.
std::vector<size_t> MeasuredShares::fitted() const {
  std::vector<size_t> shares(devices_.size());
  for (size_t shard = 0; shard < shards_; ++shard) {
    size_t best = 0;
    double soonest = std::numeric_limits<double>::infinity();
    for (size_t d = 0; d < devices_.size(); ++d) {
      const double done = static_cast<double>(shares[d] + 1) * devices_[d].seconds;
      if (devices_[d].lost || devices_[d].excluded || done >= soonest) continue;
      best = d;
      soonest = done;
    }
    ++shares[best];
  }
  return shares;
}

/// The seconds until the last device is done.
double MeasuredShares::predicted(const std::vector<size_t>& shares) const {
  double longest = 0;
  for (size_t d = 0; d < shares.size(); ++d) {
    longest = std::max(longest, static_cast<double>(shares[d]) * devices_[d].seconds);
  }
  return longest;
}

void MeasuredShares::took(const std::optional<StepTimes>& times) {
  if (phase_ == Phase::settled && ++settled_steps_ >= retry_after_) {
    settled_steps_ = 0;
    retry_after_ *= 2;
    for (size_t d = 0; d < devices_.size(); ++d) {
      if (shares_[d] == 0 && hopeful(d, predicted(shares_))) return start();
    }
    // Small gains count, too: a device has costs that its number of shards does not change, which hide the gain.
    if (std::vector<size_t> better = fitted(); predicted(better) < predicted(shares_)) return use(std::move(better));
  }
  if (!times) return;
  if (skip_ > 0) {
    --skip_;
    return;
  }
  if (phase_ == Phase::trying) return note_trial(times->step);
  window_.push_back(*times);
  if (window_.size() == window_steps) take_window();
}

void MeasuredShares::take_window() {
  for (size_t d = 0; d < devices_.size(); ++d) {
    if (shares_[d] == 0) continue;
    std::vector<double> seconds;
    for (const StepTimes& times : window_) seconds.push_back(times.devices[d]);
    devices_[d].seconds = median(std::move(seconds)) / static_cast<double>(shares_[d]);
  }
  window_.clear();
  std::vector<size_t> better = fitted();
  if (predicted(better) < worthwhile * predicted(shares_) && (phase_ == Phase::settled || refits_++ < most_refits)) {
    return use(std::move(better));
  }
  if (phase_ == Phase::fitting) try_next();
}

/// Tries the slowest device that was not yet tried.
void MeasuredShares::try_next() {
  std::optional<size_t> slowest;
  for (size_t d = 0; d < devices_.size(); ++d) {
    if (shares_[d] == 0 || devices_[d].tried) continue;
    if (!slowest || devices_[d].seconds > devices_[*slowest].seconds) slowest = d;
  }
  if (!slowest || busy() == 1) {
    phase_ = Phase::settled;
    settled_steps_ = 0;
    return;
  }
  phase_ = Phase::trying;
  candidate_ = *slowest;
  devices_[candidate_].tried = devices_[candidate_].excluded = true;
  with_ = {shares_, {}};
  without_ = {fitted(), {}};
  use(without_.shares);
}

/// A step of the trial took so long.
void MeasuredShares::note_trial(double seconds) {
  const bool had_it = shares_[candidate_] > 0;
  (had_it ? with_ : without_).seconds.push_back(seconds);
  if (with_.seconds.size() == window_steps) return judge();
  shares_ = had_it ? without_.shares : with_.shares;
}

void MeasuredShares::judge() {
  if (median(without_.seconds) > median(with_.seconds)) devices_[candidate_].excluded = false;
  use(devices_[candidate_].excluded ? without_.shares : with_.shares);
  phase_ = Phase::fitting;
  try_next();
}

}  // namespace vitcl::train
