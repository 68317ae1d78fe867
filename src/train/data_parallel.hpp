#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine.hpp"
#include "replica.hpp"
#include "share_policy.hpp"
#include "worker_thread.hpp"

namespace vitcl::train {

/// A run on several devices, each with a thread of its own. Every step's batch is cut in logical shards; each device
/// computes the gradients of a run of them, one device, the lead, sums them in a fixed tree, updates the parameters and
/// hands them to the others. A device that fails is dropped and what it took part in is computed again.
class DataParallel final : public Engine {
 public:
  /// `devices` must outlive it.
  DataParallel(const std::vector<Device*>& devices, const TrainConfig& config, const data::Dataset& dataset,
               std::unique_ptr<SharePolicy> policy);
  ~DataParallel() override;

  const BatchCut& cut() const override { return cut_; }
  nn::Parameters& parameters() override;
  const nn::Plan& plan() const override;
  void begin_epoch(size_t epoch, size_t first, const std::vector<double>& rates) override;
  void step() override;
  std::vector<float> losses(size_t first, size_t count) override;
  std::optional<Evaluation> evaluate(const std::atomic<bool>& stop) override;
  void load(const Checkpoint& checkpoint) override;
  void save(Checkpoint& checkpoint) override;
  std::string first_not_finite() override;
  bool keep() override;
  void save_kept(Checkpoint& checkpoint) override;
  void observe(TrainObserver* observer) override { observer_ = observer; }

  /// The gradient of the last step's mean loss.
  nn::NamedTensors gradients();

 private:
  struct Member;
  struct Lost;
  struct StepPlan;
  class Tasks;
  using Parts = std::vector<GradientPart>;

  void run_on(size_t member, const std::function<void(Replica&)>& body);
  void attempt(size_t member, const std::function<void(Replica&)>& body);
  void insist(const std::function<void()>& body);
  void on_lead(const std::function<void(Replica&)>& body);
  void drop(const Lost& lost);
  void restore();
  void lead_has_new_values();
  void choose_lead(const std::vector<size_t>& shares);
  void run_step(size_t step);
  Parts compute_shares(const StepPlan& plan, std::vector<double>& seconds);
  void update(const StepPlan& plan, const Parts& others);
  void tell_shares();
  void measure_speeds();
  void keep_now();

  BatchCut cut_;
  ShardCut full_, last_;
  std::vector<std::unique_ptr<Member>> members_;
  std::unique_ptr<SharePolicy> policy_;
  TrainObserver* observer_ = nullptr;

  size_t lead_ = 0;            // holds the moments and the newest parameters
  std::vector<float> values_;  // the newest parameters, where values_are_new_
  bool values_are_new_ = false;
  size_t next_ = 0, done_ = 0;  // steps of the epoch that were asked for, and that were enqueued
  std::vector<size_t> owners_;  // which member computed each of the epoch's shards, and so has its loss
  std::vector<size_t> told_;    // the shares that the observer knows

  FlatState kept_;  // the state before the epoch's step kept_step_
  size_t kept_step_ = 0;
  bool restore_ = true;  // the state must be taken from kept_
  std::chrono::steady_clock::time_point kept_at_;
  double keeping_seconds_ = 0;
  bool measured_ = false;
};

}  // namespace vitcl::train
