#include "vitcl/backend/device.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backend/event_clock.hpp"
#include "backend/native.hpp"
#include "backend/native_devices.hpp"
#include "backend/program_cache.hpp"

namespace vitcl {

Device::Device(const DeviceInfo& info, const DeviceOptions& options) : state_(std::make_unique<State>()) {
  state_->info = info;
  state_->options = options;
  state_->choices.ask(options.implementations);
  const FoundDevice whole = find_device(info);
  state_->device = info.part ? open_part(whole, *info.part) : whole.device;
  state_->context = checked(info.name, [&] { return cl::Context(state_->device); });
  state_->programs = std::make_unique<ProgramCache>(info, state_->context, state_->device);
  state_->queue = std::make_unique<Queue>(*this);
  DeviceCaps& caps = state_->info.caps;
  const bool reads_events = (options.profile || options.trace > 0) && !options.dry;
  if (reads_events && !caps.profiling_clock_broken) caps.profiling_clock_broken = !event_clock_is_sound(*this);
}

Device::~Device() {
  state_->queue.reset();
  for (const auto& close : state_->at_close) close();
}

const DeviceInfo& Device::info() const { return state_->info; }

Queue& Device::queue() { return *state_->queue; }

Choices& Device::choices() { return state_->choices; }

Buffer Device::allocate(size_t bytes) {
  bytes = std::max<size_t>(bytes, 1);
  if (bytes > caps().max_allocation) {
    throw DeviceError(fmt::format("a buffer of {} bytes is larger than the largest allocation of {}: {} bytes", bytes,
                                  info().name, caps().max_allocation));
  }
  auto memory = checked(fmt::format("a buffer of {} bytes on {}", bytes, info().name),
                        [&] { return cl::Buffer(state_->context, CL_MEM_READ_WRITE, bytes); });
  return Buffer(std::make_shared<const Buffer::State>(std::move(memory), bytes, 0, nullptr, state_->ledger));
}

size_t Device::allocated_bytes() const { return state_->ledger->now; }

size_t Device::peak_bytes() const { return state_->ledger->peak; }

Kernel Device::kernel(std::string_view program, std::string_view entry, const KernelSpec& spec) {
  if (state_->options.dry) {
    auto name_only = std::make_shared<Kernel::State>();
    name_only->name = entry;
    return Kernel(std::move(name_only));
  }
  return Kernel(state_->programs->kernel(program, entry, spec.options()));
}

}  // namespace vitcl
