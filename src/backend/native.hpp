#pragma once

// The OpenCL side of the backend's handles. Included by src/backend alone.

#include <CL/opencl.hpp>
#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "vitcl/backend/device.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl {

/// Counts one OpenCL object for live_opencl_objects() while it exists.
class LiveObject {
 public:
  LiveObject() { ++count(); }
  ~LiveObject() { --count(); }
  LiveObject(const LiveObject&) = delete;
  LiveObject& operator=(const LiveObject&) = delete;
  static std::atomic<size_t>& count();
};

/// What a device has allocated. Shared with the buffers, which may outlive the Device.
struct MemoryLedger {
  size_t now = 0;
  size_t peak = 0;
};

struct Buffer::State {
  State(cl::Buffer memory_in, size_t bytes_in, size_t offset_in, std::shared_ptr<const State> root_in,
        std::shared_ptr<MemoryLedger> ledger_in);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  LiveObject live;
  cl::Buffer memory;
  size_t bytes;
  size_t offset;
  std::shared_ptr<const State> root;  // the allocation this is a slice of; null for an allocation itself
  std::shared_ptr<MemoryLedger> ledger;
};

struct Kernel::State {
  LiveObject live;
  std::string name;
  cl::Program program;
  cl::Kernel kernel;  // for immediate launches; recorded ones make their own
};

struct Queue::State {
  LiveObject live;
  cl::CommandQueue queue;
  bool profiling = false;
  std::shared_ptr<CommandList::State> recording;  // null outside record()
  struct Timed {
    std::string name;
    cl::Event event;
    double flops, bytes;
  };
  std::vector<Timed> pending;
  std::map<std::string, KernelProfile> profile;
  std::vector<KernelEvent> trace;
  size_t trace_limit = 0;

  /// Waits for `pending` and reads its times.
  void collect();
};

struct Mark::State {
  LiveObject live;
  cl::Event event;
  std::string device;
};

/// A command that waits to be replayed.
using Command = std::function<void(Queue::State&)>;

struct CommandList::State {
  std::vector<Command> commands;
};

class ProgramCache;

struct Device::State {
  LiveObject live;
  DeviceInfo info;
  DeviceOptions options;
  Choices choices;
  cl::Device device;
  cl::Context context;
  std::shared_ptr<MemoryLedger> ledger = std::make_shared<MemoryLedger>();
  std::unique_ptr<ProgramCache> programs;
  std::unique_ptr<Queue> queue;
  std::vector<std::function<void()>> at_close;  // run before the context goes
};

/// Reaches into the public handles for their OpenCL objects.
struct NativeAccess {
  static cl_mem memory(const Buffer& buffer) { return buffer.state_->memory(); }
  static cl_command_queue queue(Queue& queue) { return queue.state_->queue(); }
  static const cl::Kernel& kernel(const Kernel& kernel) { return kernel.state_->kernel; }
  static Device::State& state(Device& device) { return *device.state_; }
  /// Runs `command` now, or records it inside Queue::record. It must keep what it needs alive by itself.
  static void submit(Queue& queue, Command command);
};

/// Runs `body`; an OpenCL exception comes out as a ClError that names the call and `context`.
template <class Body>
auto checked(const std::string& context, Body&& body) {
  try {
    return body();
  } catch (const cl::Error& error) {
    throw ClError(error.err(), error.what(), context);
  }
}

/// "CL_OUT_OF_RESOURCES" for -5.
std::string cl_error_name(int code);

}  // namespace vitcl
