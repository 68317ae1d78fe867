#include "vitcl/backend/queue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "backend/native.hpp"

namespace vitcl {
namespace {

cl::NDRange range_of(const std::vector<size_t>& sizes) {
  switch (sizes.size()) {
    case 0:
      return cl::NullRange;
    case 1:
      return {sizes[0]};
    case 2:
      return {sizes[0], sizes[1]};
    default:
      return {sizes[0], sizes[1], sizes[2]};
  }
}

void set_arguments(cl::Kernel& kernel, const std::vector<KernelArgument>& args) {
  for (cl_uint i = 0; i < args.size(); ++i) {
    std::visit(
        [&](const auto& value) {
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, Buffer>) {
            const cl_mem memory = NativeAccess::memory(value);
            kernel.setArg(i, sizeof memory, &memory);
          } else {
            kernel.setArg(i, sizeof value, &value);
          }
        },
        args[i]);
  }
}

void check_shape(const std::string& kernel, const LaunchShape& shape, const DeviceCaps& caps) {
  size_t local = 1;
  for (size_t d = 0; d < shape.local.size(); ++d) {
    local *= shape.local[d];
    if (shape.local.size() != shape.global.size() || shape.local[d] == 0 || shape.global[d] % shape.local[d] != 0) {
      throw DeviceError(fmt::format("[{}] global size {} is no multiple of local size {}", kernel,
                                    fmt::join(shape.global, "x"), fmt::join(shape.local, "x")));
    }
  }
  if (local > caps.max_work_group) {
    throw DeviceError(
        fmt::format("[{}] a work-group of {} is larger than the device's {}", kernel, local, caps.max_work_group));
  }
}

void enqueue(Queue::State& state, const cl::Kernel& kernel, const std::string& name, const cl::NDRange& global,
             const cl::NDRange& local, double flops, double bytes) {
  if (!state.profiling) {
    state.queue.enqueueNDRangeKernel(kernel, cl::NullRange, global, local);
    return;
  }
  Queue::State::Timed timed{name, {}, flops, bytes};
  state.queue.enqueueNDRangeKernel(kernel, cl::NullRange, global, local, nullptr, &timed.event);
  state.pending.push_back(std::move(timed));
}

}  // namespace

Queue::Queue(Device& device) : device_(device), state_(std::make_unique<State>()) {
  auto& native = NativeAccess::state(device);
  state_->trace_limit = native.options.trace;
  state_->profiling = native.options.profile || native.options.trace > 0;
  const cl_command_queue_properties properties = state_->profiling ? CL_QUEUE_PROFILING_ENABLE : 0;
  state_->queue =
      checked(device.info().name, [&] { return cl::CommandQueue(native.context, native.device, properties); });
}

Queue::~Queue() {
  try {
    state_->queue.finish();
  } catch (const cl::Error&) {
    // The device is lost; there is nothing left to wait for.
  }
}

void NativeAccess::submit(Queue& queue, Command command) {
  auto& state = *queue.state_;
  if (NativeAccess::state(queue.device()).options.dry) return;
  if (state.recording) {
    state.recording->commands.push_back(std::move(command));
  } else {
    checked(queue.device().info().name, [&] { command(state); });
  }
}

void Queue::launch_with(const Kernel& kernel, const LaunchShape& shape, std::vector<KernelArgument> args) {
  if (std::find(shape.global.begin(), shape.global.end(), 0) != shape.global.end()) return;
  check_shape(kernel.name(), shape, device_.caps());
  device_.choices().count(shape.flops, shape.bytes);
  if (NativeAccess::state(device_).options.dry) return;
  const auto context = fmt::format("kernel {} on {}", kernel.name(), device_.info().name);
  const auto global = range_of(shape.global);
  const auto local = range_of(shape.local);
  if (!state_->recording) {
    checked(context, [&] {
      set_arguments(kernel.state_->kernel, args);
      enqueue(*state_, kernel.state_->kernel, kernel.name(), global, local, shape.flops, shape.bytes);
    });
    return;
  }
  // A kernel object of its own keeps its arguments; OpenCL does not keep their buffers, so the command does.
  auto own = std::make_shared<Kernel::State>();
  own->name = kernel.name();
  own->program = kernel.state_->program;
  checked(context, [&] {
    own->kernel = cl::Kernel(own->program, own->name.c_str());
    set_arguments(own->kernel, args);
  });
  state_->recording->commands.push_back(
      [own, global, local, flops = shape.flops, bytes = shape.bytes, args = std::move(args)](State& state) {
        enqueue(state, own->kernel, own->name, global, local, flops, bytes);
      });
}

// A store by the host rather than a fill: Oclgrind does not take filled memory for initialised.
void Queue::zero(const Buffer& buffer) {
  const std::vector<unsigned char> zeros(buffer.bytes());
  write(buffer, zeros.data(), zeros.size());
}

void Queue::write(const Buffer& target, const void* source, size_t bytes, size_t offset) {
  if (bytes == 0) return;
  checked(fmt::format("{} bytes to {}", bytes, device_.info().name),
          [&] { state_->queue.enqueueWriteBuffer(target.state_->memory, CL_TRUE, offset, bytes, source); });
}

void Queue::read(const Buffer& source, void* target, size_t bytes, size_t offset) {
  if (bytes == 0) return;
  checked(fmt::format("{} bytes from {}", bytes, device_.info().name), [&] {
    state_->queue.enqueueReadBuffer(source.state_->memory, CL_TRUE, offset, bytes, target);
    state_->collect();  // all that was queued has run; a long run must not pile up events
  });
}

void Queue::finish() {
  checked(device_.info().name, [&] { state_->queue.finish(); });
}

Mark Queue::mark() {
  auto state = std::make_shared<Mark::State>();
  state->device = device_.info().name;
  checked(state->device, [&] {
    state_->queue.enqueueMarkerWithWaitList(nullptr, &state->event);
    state_->queue.flush();
  });
  Mark mark;
  mark.state_ = std::move(state);
  return mark;
}

void Mark::wait() const {
  if (state_) checked(state_->device, [&] { state_->event.wait(); });
}

CommandList Queue::record(const std::function<void()>& body) {
  if (state_->recording) throw DeviceError("[queue] record() inside record()");
  CommandList list;
  list.state_ = std::make_shared<CommandList::State>();
  state_->recording = list.state_;
  try {
    body();
  } catch (...) {
    state_->recording.reset();
    throw;
  }
  state_->recording.reset();
  return list;
}

void Queue::replay(const CommandList& commands) {
  if (!commands.state_) return;
  checked(device_.info().name, [&] {
    for (const auto& command : commands.state_->commands) command(*state_);
  });
}

size_t CommandList::size() const { return state_ ? state_->commands.size() : 0; }

}  // namespace vitcl
