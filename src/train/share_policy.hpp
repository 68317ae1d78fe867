#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace vitcl::train {

/// What a step took, in seconds.
struct StepTimes {
  double step = 0;
  std::vector<double> devices;  ///< of each device's own shards; 0 where it had none
};

/// Decides how many of a step's shards each device computes. It never changes what is computed.
class SharePolicy {
 public:
  virtual ~SharePolicy() = default;
  /// `seconds`: what each device takes for a shard by itself.
  virtual void begin(size_t shards, const std::vector<double>& seconds) = 0;
  /// Shards of a full batch by device.
  virtual const std::vector<size_t>& shares() const = 0;
  /// Whether shares() will stay for a while.
  virtual bool settled() const = 0;
  /// Whether took() needs the times of the next step.
  virtual bool wants_times() const = 0;
  /// A step of a full batch is done.
  virtual void took(const std::optional<StepTimes>& times) = 0;
  /// The device is lost.
  virtual void drop(size_t device) = 0;
};

/// Shares after measured speed. A device gets shards where the steps are faster with it than without it, which is
/// tried; shares change where that promises 5% or more, now and then where it promises anything.
class MeasuredShares final : public SharePolicy {
 public:
  void begin(size_t shards, const std::vector<double>& seconds) override;
  const std::vector<size_t>& shares() const override { return shares_; }
  bool settled() const override { return phase_ == Phase::settled; }
  bool wants_times() const override;
  void took(const std::optional<StepTimes>& times) override;
  void drop(size_t device) override;

 private:
  enum class Phase { fitting, trying, settled };
  struct Device {
    double seconds = 0;  ///< for a shard
    bool lost = false;
    bool excluded = false;  ///< slows the others
    bool tried = false;     ///< whether it does was tried
  };

  std::vector<size_t> fitted() const;
  double predicted(const std::vector<size_t>& shares) const;
  bool hopeful(size_t device, double step) const;
  size_t busy() const;
  void use(std::vector<size_t> shares);
  void start();
  void take_window();
  void try_next();
  void note_trial(double seconds);
  void judge();

  size_t shards_ = 0;
  std::vector<Device> devices_;
  std::vector<size_t> shares_;
  Phase phase_ = Phase::settled;
  size_t refits_ = 0;
  // Trying: steps with and without a device by turns, so that what else runs on the machine disturbs both alike.
  struct Side {
    std::vector<size_t> shares;
    std::vector<double> seconds;
  };
  size_t candidate_ = 0;
  Side with_, without_;
  size_t skip_ = 0;  // steps that still pay for a change
  std::vector<StepTimes> window_;
  size_t settled_steps_ = 0, retry_after_ = 0;
};

}  // namespace vitcl::train
