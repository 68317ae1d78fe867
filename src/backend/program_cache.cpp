#include "backend/program_cache.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "backend/kernel_source.hpp"

namespace vitcl {
namespace {

// VITCL_PROGRAM_CACHE=on|off overrides what is known of the driver.
bool wants_store(const DeviceInfo& info) {
  const char* choice = std::getenv("VITCL_PROGRAM_CACHE");
  if (choice != nullptr && std::string_view(choice) == "on") return true;
  if (choice != nullptr && std::string_view(choice) == "off") return false;
  return !info.caps.driver_caches_programs;
}

std::vector<unsigned char> binary_of(const cl::Program& program) {
  const auto binaries = program.getInfo<CL_PROGRAM_BINARIES>();
  return binaries.size() == 1 ? binaries.front() : std::vector<unsigned char>{};
}

}  // namespace

ProgramCache::ProgramCache(const DeviceInfo& info, cl::Context context, cl::Device device)
    : info_(info), context_(std::move(context)), device_(std::move(device)), use_store_(wants_store(info)) {}

std::shared_ptr<Kernel::State> ProgramCache::kernel(std::string_view name, std::string_view entry,
                                                    const std::string& options) {
  auto& slot = kernels_[fmt::format("{}/{} {}", name, entry, options)];
  if (!slot) {
    auto state = std::make_shared<Kernel::State>();
    state->name = entry;
    state->program = program(std::string(name), options);
    state->kernel = checked(fmt::format("kernel {} of cl/{}.cl on {}", entry, name, info_.name),
                            [&] { return cl::Kernel(state->program, state->name.c_str()); });
    slot = std::move(state);
  }
  return slot;
}

const cl::Program& ProgramCache::program(const std::string& name, const std::string& options) {
  const auto key = name + " " + options;
  if (const auto found = programs_.find(key); found != programs_.end()) return found->second.program;
  auto built = build(name, options);
  auto& slot = programs_[key];
  slot.program = std::move(built);
  return slot.program;
}

cl::Program ProgramCache::from_store(const std::string& key, const std::string& options) const {
  const auto binary = store_.load(key);
  if (!binary) return {};
  try {
    cl::Program program(context_, {device_}, cl::Program::Binaries{*binary});
    program.build({device_}, options.c_str());
    return program;
  } catch (const cl::Error&) {
    return {};  // a driver that refuses its own binary gets the source
  }
}

cl::Program ProgramCache::build(const std::string& name, const std::string& spec_options) const {
  const std::string file = name + ".cl";
  const std::string source = load_kernel_source(file);
  // -w: PoCL prints a count of warnings to stderr, and on CPUs without AVX-512 each float16 argument is one.
  // -cl-opt-disable: LLVM's optimiser makes instructions that Oclgrind 21.10 can't follow (freeze) and computes
  // wrongly.
  const std::string options = std::string("-cl-std=CL1.2 -w") + (info_.caps.interpreter ? " -cl-opt-disable" : "") +
                              (spec_options.empty() ? "" : " " + spec_options);
  const auto key = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", info_.platform, info_.platform_version, info_.name,
                               info_.driver_version, options, source);
  if (use_store_) {
    if (auto program = from_store(key, options); program() != nullptr) return program;
  }
  cl::Program program = checked("cl/" + file, [&] { return cl::Program(context_, source); });
  try {
    program.build({device_}, options.c_str());
  } catch (const cl::BuildError& error) {
    std::string log;
    for (const auto& [device, text] : error.getBuildLog()) log += text;
    throw BuildError(file, options, info_.name, log);
  } catch (const cl::Error& error) {
    std::string log = program.getBuildInfo<CL_PROGRAM_BUILD_LOG>(device_);
    throw BuildError(file, options, info_.name, log.empty() ? cl_error_name(error.err()) : log);
  }
  if (use_store_) store_.save(key, binary_of(program));
  return program;
}

}  // namespace vitcl
