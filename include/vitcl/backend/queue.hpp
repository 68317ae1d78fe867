#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vitcl/backend/kernel.hpp"

namespace vitcl {

class Device;

/// The index space of a launch and what it costs, for the profiler. 1 to 3 dimensions; every global size must be a
/// multiple of the local size. An empty `local` leaves the choice to the driver.
struct LaunchShape {
  std::vector<size_t> global;
  std::vector<size_t> local = {};
  double flops = 0;
  double bytes = 0;
};

/// Commands recorded once, with their arguments set, to be replayed many times. Keeps its buffers alive.
class CommandList {
 public:
  CommandList() = default;
  size_t size() const;
  struct State;

 private:
  friend class Queue;
  std::shared_ptr<State> state_;
};

/// A point in a queue's work.
class Mark {
 public:
  Mark() = default;
  /// Returns once everything that the queue was given before the mark has run.
  void wait() const;
  struct State;

 private:
  friend class Queue;
  std::shared_ptr<const State> state_;
};

/// Time spent in one kernel since profiling began.
struct KernelProfile {
  std::string name;
  size_t calls = 0;
  double seconds = 0;
  double flops = 0;
  double bytes = 0;
};

/// One launch of a kernel, in nanoseconds on the device's own clock.
struct KernelEvent {
  std::string name;
  uint64_t start = 0, end = 0;
  double flops = 0;
  double bytes = 0;
};

/// An in-order command queue and the one place from which kernels are launched. Commands run in the order in which they
/// were given; only read(), finish() and a blocking write wait. A device may have a second queue, for transfers beside
/// its work: a Mark tells when the one may touch what the other wrote. Not thread-safe.
class Queue {
 public:
  explicit Queue(Device& device);
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  Device& device() { return device_; }

  /// Runs a kernel, or records it inside record().
  template <class... Args>
  void launch(const Kernel& kernel, const LaunchShape& shape, const Args&... args) {
    launch_with(kernel, shape, {KernelArgument(args)...});
  }

  /// Sets every byte of `buffer` to 0. Not recordable.
  void zero(const Buffer& buffer);
  /// Host memory to the device; returns once `bytes` may be reused. Not recordable.
  void write(const Buffer& target, const void* source, size_t bytes, size_t offset = 0);
  /// Device memory to the host, after all earlier commands. Not recordable.
  void read(const Buffer& source, void* target, size_t bytes, size_t offset = 0);
  void finish();
  /// Starts what was given so far and marks its end. Not recordable.
  Mark mark();

  /// Runs `body`; what it launches is recorded instead of executed.
  CommandList record(const std::function<void()>& body);
  /// Enqueues recorded commands without setting arguments, creating events or waiting.
  void replay(const CommandList& commands);

  /// With DeviceOptions::profile: per kernel, most time first. Waits for the queue.
  std::vector<KernelProfile> profile();
  /// Forgets what was profiled so far.
  void reset_profile();
  /// The first DeviceOptions::trace launches, in their order. Waits for the queue.
  std::vector<KernelEvent> trace();

  struct State;

 private:
  friend class Device;
  friend struct NativeAccess;
  void launch_with(const Kernel& kernel, const LaunchShape& shape, std::vector<KernelArgument> args);
  Device& device_;
  std::unique_ptr<State> state_;
};

}  // namespace vitcl
