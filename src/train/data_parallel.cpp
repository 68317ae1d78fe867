#include "data_parallel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <optional>
#include <utility>

#include "vitcl/backend/error.hpp"

namespace vitcl::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

size_t common_alignment(const std::vector<Device*>& devices) {
  size_t alignment = 1;
  for (const Device* device : devices) alignment = std::max(alignment, device->caps().buffer_alignment);
  return alignment;
}

}  // namespace

/// A device, its replica and the thread on which both are used.
struct DataParallel::Member {
  Device& device;
  Replica replica;
  bool lost = false;
  bool values_are_new = false;
  WorkerThread thread;  // last: ends before the replica goes

  Member(Device& target, const TrainConfig& config, const data::Dataset& dataset, size_t alignment)
      : device(target), replica(target, config, dataset, alignment) {}
};

/// A device failed.
struct DataParallel::Lost {
  size_t member;
  std::string reason;
};

/// A step, and who computes what of it.
struct DataParallel::StepPlan {
  size_t step;
  std::vector<ShardRange> ranges;
  bool alone;  ///< the lead computes everything, and nobody waits for it
  bool timed;
};

/// Tasks on several members' threads at once.
class DataParallel::Tasks {
 public:
  explicit Tasks(std::vector<std::unique_ptr<Member>>& members) : members_(members) {}
  ~Tasks() {
    for (const auto& [member, done] : running_) done.wait();
  }
  Tasks(const Tasks&) = delete;
  Tasks& operator=(const Tasks&) = delete;

  void start(size_t member, std::function<void(Replica&)> body) {
    Replica& replica = members_[member]->replica;
    running_.emplace_back(member, members_[member]->thread.run([body = std::move(body), &replica] { body(replica); }));
  }

  /// Waits for all. Throws Lost for the first whose device failed.
  void wait() {
    std::optional<Lost> lost;
    std::exception_ptr other;
    for (auto& [member, done] : running_) {
      try {
        done.get();
      } catch (const DeviceError& error) {
        if (!lost) lost = Lost{member, error.what()};
      } catch (...) {
        other = std::current_exception();
      }
    }
    running_.clear();
    if (other) std::rethrow_exception(other);
    if (lost) throw *lost;
  }

 private:
  std::vector<std::unique_ptr<Member>>& members_;
  std::vector<std::pair<size_t, std::future<void>>> running_;
};

DataParallel::DataParallel(const std::vector<Device*>& devices, const TrainConfig& config, const data::Dataset& dataset,
                           std::unique_ptr<SharePolicy> policy)
    : cut_(dataset.train.count, config.step_images()),
      full_(cut_.full, config.grad_accum_steps),
      last_(cut_.last, config.grad_accum_steps),
      policy_(std::move(policy)) {
  const size_t alignment = common_alignment(devices);
  for (Device* device : devices) {
    members_.push_back(std::make_unique<Member>(*device, config, dataset, alignment));
  }
  Replica& first = members_.front()->replica;
  first.initialize();
  kept_ = first.save();
}

DataParallel::~DataParallel() = default;

nn::Parameters& DataParallel::parameters() { return members_[lead_]->replica.parameters(); }
const nn::Plan& DataParallel::plan() const { return members_[lead_]->replica.plan(); }

/// Waits for one task. Throws Lost.
void DataParallel::run_on(size_t member, const std::function<void(Replica&)>& body) {
  Tasks tasks(members_);
  tasks.start(member, body);
  tasks.wait();
}

/// Runs `body` for the state after the steps that were asked for, again and again where devices fail.
void DataParallel::insist(const std::function<void()>& body) {
  for (;;) {
    try {
      if (restore_) restore();
      while (done_ < next_) run_step(done_++);
      return body();
    } catch (const Lost& lost) {
      drop(lost);
    }
  }
}

void DataParallel::on_lead(const std::function<void(Replica&)>& body) {
  insist([&] { run_on(lead_, body); });
}

/// From now on without this device, and from the kept state on.
void DataParallel::drop(const Lost& lost) {
  members_[lost.member]->lost = true;
  policy_->drop(lost.member);
  if (observer_ != nullptr) observer_->on_lost_device(lost.member, lost.reason);
  const auto left = std::find_if(members_.begin(), members_.end(), [](const auto& member) { return !member->lost; });
  if (left == members_.end()) throw DeviceError(fmt::format("no device is left; the last one failed: {}", lost.reason));
  lead_ = static_cast<size_t>(left - members_.begin());
  done_ = kept_step_;
  restore_ = true;
}

void DataParallel::restore() {
  run_on(lead_, [&](Replica& lead) { lead.load(kept_); });
  lead_has_new_values();
  values_ = kept_.values;
  values_are_new_ = true;
  restore_ = false;
}

void DataParallel::lead_has_new_values() {
  for (const auto& member : members_) member->values_are_new = false;
  members_[lead_]->values_are_new = true;
  values_are_new_ = false;
}

/// A lead with a small share would hold up the others.
void DataParallel::choose_lead(const std::vector<size_t>& shares) {
  const auto largest = static_cast<size_t>(std::max_element(shares.begin(), shares.end()) - shares.begin());
  if (2 * shares[lead_] >= shares[largest]) return;
  FlatState state;
  run_on(lead_, [&](Replica& lead) { state = lead.save(); });
  run_on(largest, [&](Replica& next) { next.load(state); });
  lead_ = largest;
  lead_has_new_values();
}

void DataParallel::run_step(size_t step) {
  const std::vector<size_t>& shares = policy_->shares();
  choose_lead(shares);
  const bool full = step + 1 < cut_.steps || cut_.last == cut_.full;
  const std::vector<ShardRange> ranges = shard_ranges(shares, lead_, (full ? full_ : last_).count());
  bool alone = true;
  for (size_t m = 0; m < ranges.size(); ++m) {
    alone = alone && (m == lead_ || ranges[m].empty());
    std::fill_n(owners_.begin() + static_cast<ptrdiff_t>(step * full_.count() + ranges[m].first),
                ranges[m].end - ranges[m].first, m);
  }
  const StepPlan plan{.step = step, .ranges = ranges, .alone = alone, .timed = full && policy_->wants_times()};
  if (!alone && !values_are_new_) {
    run_on(lead_, [&](Replica& lead) { values_ = lead.values(); });
    values_are_new_ = true;
  }
  const auto start = Clock::now();
  StepTimes times{.step = 0, .devices = std::vector<double>(members_.size())};
  const Parts others = compute_shares(plan, times.devices);
  update(plan, others);
  times.step = seconds_since(start);
  if (full) policy_->took(plan.timed ? std::optional(times) : std::nullopt);
  tell_shares();
}

/// What the others hand to the lead, in the order of the shards.
DataParallel::Parts DataParallel::compute_shares(const StepPlan& plan, std::vector<double>& seconds) {
  std::vector<Parts> parts(members_.size());
  Tasks tasks(members_);
  for (size_t m = 0; m < plan.ranges.size(); ++m) {
    if (m != lead_ && plan.ranges[m].empty()) continue;
    tasks.start(m, [&, m](Replica& replica) {
      const auto start = Clock::now();
      if (!members_[m]->values_are_new) replica.set_values(values_);
      members_[m]->values_are_new = true;
      if (m != lead_) {
        parts[m] = replica.compute_and_fetch(plan.step, plan.ranges[m]);
      } else {
        replica.compute(plan.step, plan.ranges[m]);
        if (!plan.alone || plan.timed) replica.finish();
      }
      seconds[m] = seconds_since(start);
    });
  }
  tasks.wait();
  Parts all;
  for (Parts& some : parts) std::move(some.begin(), some.end(), std::back_inserter(all));
  return all;
}

void DataParallel::update(const StepPlan& plan, const Parts& others) {
  run_on(lead_, [&](Replica& lead) {
    lead.update(plan.step, others);
    if (!plan.alone) {
      values_ = lead.values();
    } else if (plan.timed) {
      lead.finish();
    }
  });
  lead_has_new_values();
  values_are_new_ = !plan.alone;
}

void DataParallel::tell_shares() {
  if (observer_ == nullptr || members_.size() == 1 || !policy_->settled() || policy_->shares() == told_) return;
  told_ = policy_->shares();
  std::vector<size_t> images;
  for (const ShardRange& range : shard_ranges(told_, lead_, full_.count())) {
    images.push_back(full_.begin(range.end) - full_.begin(range.first));
  }
  observer_->on_shares(images);
}

void DataParallel::begin_epoch(size_t epoch, size_t first, const std::vector<double>& rates) {
  keep_now();
  next_ = done_ = kept_step_ = first;
  owners_.assign(cut_.steps * full_.count(), 0);
  for (size_t m = 0; m < members_.size(); ++m) {
    attempt(m, [&](Replica& replica) { replica.begin_epoch(epoch, rates); });
  }
  if (!measured_) measure_speeds();
}

/// Runs `body` on a member that is not lost; drops it where it fails.
void DataParallel::attempt(size_t member, const std::function<void(Replica&)>& body) {
  if (members_[member]->lost) return;
  try {
    run_on(member, body);
  } catch (const Lost& lost) {
    drop(lost);
  }
}

/// Tells the policy what each device takes for a shard by itself. What is computed on the way nobody reads.
void DataParallel::measure_speeds() {
  std::vector<double> seconds(members_.size());
  for (size_t m = 0; m < members_.size(); ++m) {
    attempt(m, [&](Replica& replica) {
      constexpr double enough = 1;
      const auto begin = Clock::now();
      for (int round = 0; round < 2 || (round < 4 && seconds_since(begin) < enough); ++round) {
        const auto start = Clock::now();
        replica.compute(next_, {0, 1});
        replica.finish();
        seconds[m] = round == 0 ? seconds_since(start) : std::min(seconds[m], seconds_since(start));
      }
    });
  }
  policy_->begin(full_.count(), seconds);
  for (size_t m = 0; m < members_.size(); ++m) {
    if (members_[m]->lost) policy_->drop(m);
  }
  measured_ = true;
}

void DataParallel::step() {
  ++next_;
  insist([] {});
}

std::vector<float> DataParallel::losses(size_t first, size_t count) {
  std::vector<std::vector<float>> of(members_.size());
  const auto begin = owners_.begin() + static_cast<ptrdiff_t>(first * full_.count());
  insist([&] {
    Tasks tasks(members_);
    for (size_t m = 0; m < members_.size(); ++m) {
      if (members_[m]->lost) continue;
      tasks.start(m, [&, m](Replica& replica) { of[m] = replica.losses(first, count); });
    }
    tasks.wait();
  });
  std::vector<float> losses;
  for (size_t i = 0; i < count; ++i) {
    const ShardCut& batch = first + i + 1 == cut_.steps ? last_ : full_;
    double sum = 0;
    for (size_t shard = 0; shard < batch.count(); ++shard) {
      const size_t row = i * full_.count() + shard;
      sum +=
          static_cast<double>(of[begin[static_cast<ptrdiff_t>(row)]][row]) * static_cast<double>(batch.images(shard));
    }
    losses.push_back(static_cast<float>(sum / static_cast<double>(batch.batch())));
  }
  return losses;
}

std::optional<Evaluation> DataParallel::evaluate(const std::atomic<bool>& stop) {
  std::optional<Evaluation> evaluation;
  on_lead([&](Replica& lead) { evaluation = lead.evaluate(stop); });
  return evaluation;
}

void DataParallel::load(const Checkpoint& checkpoint) {
  kept_ = flat_state(checkpoint, parameters(), members_[lead_]->replica.keeps_average());
  next_ = done_ = kept_step_ = 0;
  restore_ = true;
}

void DataParallel::save(Checkpoint& checkpoint) {
  FlatState state;
  on_lead([&](Replica& lead) { state = lead.save(); });
  fill(checkpoint, state, parameters());
}

void DataParallel::save_kept(Checkpoint& checkpoint) { fill(checkpoint, kept_, parameters()); }

bool DataParallel::keep() {
  constexpr double most = 0.02;  // of the time
  if (keeping_seconds_ > most * seconds_since(kept_at_)) return false;
  keep_now();
  return true;
}

void DataParallel::keep_now() {
  const auto start = Clock::now();
  FlatState state;
  on_lead([&](Replica& lead) { state = lead.save(); });
  kept_ = std::move(state);
  kept_step_ = next_;
  kept_at_ = Clock::now();
  keeping_seconds_ = seconds_since(start);
}

nn::NamedTensors DataParallel::gradients() {
  std::vector<float> sum;
  on_lead([&](Replica& lead) { sum = lead.gradients(); });
  return parameters().split(sum);
}

std::string DataParallel::first_not_finite() {
  const nn::NamedTensors sums = gradients();
  std::vector<float> values;
  on_lead([&](Replica& lead) { values = lead.values(); });
  return train::first_not_finite(parameters(), sums, parameters().split(values));
}

}  // namespace vitcl::train
