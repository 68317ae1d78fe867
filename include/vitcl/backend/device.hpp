#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vitcl/backend/buffer.hpp"
#include "vitcl/backend/choices.hpp"
#include "vitcl/backend/kernel.hpp"
#include "vitcl/backend/queue.hpp"

namespace vitcl {

enum class DeviceType { cpu, gpu, accelerator, other };
std::string_view to_string(DeviceType);

/// What a device can do, asked once. Code asks for a capability, never for a vendor.
struct DeviceCaps {
  DeviceType type = DeviceType::other;
  unsigned compute_units = 1;
  unsigned native_float_width = 1;  ///< floats in the hardware's vector register
  size_t max_work_group = 1;        ///< work-items
  size_t local_bytes = 0;
  size_t memory_bytes = 0;
  size_t max_allocation = 0;    ///< bytes in one buffer
  size_t buffer_alignment = 1;  ///< bytes; where a slice may start
  bool fp16 = false;
  bool fp64 = false;
  bool subgroups = false;
  bool unified_memory = false;
  bool driver_caches_programs = false;  ///< quirk: the driver keeps compiled kernels on disk by itself
  bool small_kernels_only = false;      ///< quirk: the compiler can't digest large unrolled kernels
  bool slow_compiler = false;           ///< quirk: a large unrolled kernel takes half a minute and more to compile
  bool profiling_clock_broken = false;  ///< quirk: event times mean nothing
  bool interpreter = false;             ///< quirk: a debugger that interprets kernels; nobody waits for it unasked
};

/// The compute units [first, first + units) of a device with `of` of them: a sub-device of OpenCL.
struct DevicePart {
  unsigned first = 0, units = 0, of = 0;
  bool operator==(const DevicePart&) const = default;
};

/// One row of `vitcl devices`.
struct DeviceInfo {
  size_t index = 0;           ///< position in list_devices()
  size_t platform_index = 0;  ///< P in "P:D", counting platforms that have a device
  size_t device_index = 0;    ///< D in "P:D"
  std::string name, vendor, platform, platform_version, device_version, driver_version;
  std::string extensions;            ///< OpenCL's, with blanks between
  std::string alias;                 ///< "pocl", "intel", "llvmpipe", "oclgrind", ..., or empty: the first of `aliases`
  std::vector<std::string> aliases;  ///< every short name that selects this device
  std::string uuid;                  ///< "2210110f-a000-0332-faff-fffb8b170000", or empty where the driver tells none
  std::string pci_address;           ///< "0000:01:00.0", or empty
  std::optional<DevicePart> part;    ///< what of the device is meant; its `caps` are the part's
  DeviceCaps caps;

  // What the user's cache said of it when it was listed; of a part nothing.
  std::optional<bool> trusted = {};  ///< whether it passed the self-test
  size_t tuned_choices = 0;          ///< made by the tuner
  double training_speed = 0;         ///< as last measured, more is faster; 0 until then

  /// What selects it again: "P:D", of a part "P:D/N".
  std::string selector() const;
};

/// Every device of every platform that has one, in the loader's order. Empty where there is none.
std::vector<DeviceInfo> list_devices();

/// The device that `selector` names: auto | cpu | gpu | accelerator | INDEX | P:D | PCI | UUID | NAME (alias, platform
/// or device name, without case). With "/N" behind it, the sub-device of its first N compute units; "cpu:N" (gpu,
/// accelerator, auto) is "cpu/N". Throws DeviceError listing the candidates where nothing or several devices match,
/// saying which package gives a driver where there is no device at all, or what the driver said to a sub-device of that
/// size; UsageError for a sub-device without compute units.
DeviceInfo select_device(std::string_view selector, const std::vector<DeviceInfo>& devices);
DeviceInfo select_device(std::string_view selector);

/// The devices of a list of selectors with commas between them (one inside parentheses belongs to a name). Sub-devices
/// of one device follow each other: "pocl/1,pocl/1" are its first and its second compute unit. Throws UsageError for an
/// empty place in the list and for a device named twice, or whole and in part; otherwise as select_device().
std::vector<DeviceInfo> select_devices(std::string_view list, const std::vector<DeviceInfo>& devices);
std::vector<DeviceInfo> select_devices(std::string_view list);

/// How to open a device.
struct DeviceOptions {
  bool profile = false;  ///< time every kernel with events
  size_t trace = 0;      ///< keep the times of the first so many launches, for Queue::trace(); times every kernel too
  bool dry = false;      ///< compile and launch nothing: choices() tells what would run
  ImplementationNames implementations = {};  ///< those to take where they don't refuse, instead of the preferred ones
};

/// An open device: one context, one in-order queue, the compiled programs and a ledger of what is allocated.
class Device {
 public:
  explicit Device(const DeviceInfo& info, const DeviceOptions& options = {});
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const DeviceInfo& info() const;
  const DeviceCaps& caps() const { return info().caps; }
  Queue& queue();
  /// Which implementations ops take on this device.
  Choices& choices();

  /// Memory for `bytes` bytes (at least 1), contents undefined. Throws DeviceError where it exceeds the largest
  /// allocation or the device refuses.
  Buffer allocate(size_t bytes);
  /// Bytes now allocated, and the most that ever were.
  size_t allocated_bytes() const;
  size_t peak_bytes() const;

  /// The kernel `entry` of the file cl/<program>.cl compiled with `spec`; compiled at first use, then kept.
  /// Throws BuildError with the compiler's log.
  Kernel kernel(std::string_view program, std::string_view entry, const KernelSpec& spec = {});

  struct State;

 private:
  friend struct NativeAccess;
  std::unique_ptr<State> state_;
};

/// The OpenCL objects (contexts, queues, programs, kernels, buffers) that vitcl holds in this process. 0 once every
/// Device, Buffer, Kernel and CommandList is gone.
size_t live_opencl_objects();

}  // namespace vitcl
