#pragma once

#include <map>
#include <string>
#include <string_view>

#include "backend/binary_store.hpp"
#include "backend/native.hpp"

namespace vitcl {

/// The programs and kernels compiled for one device, by file and options.
class ProgramCache {
 public:
  ProgramCache(const DeviceInfo& info, cl::Context context, cl::Device device);
  std::shared_ptr<Kernel::State> kernel(std::string_view program, std::string_view entry, const std::string& options);

 private:
  struct Program {
    LiveObject live;
    cl::Program program;
  };
  const cl::Program& program(const std::string& name, const std::string& options);
  cl::Program build(const std::string& name, const std::string& options) const;
  cl::Program from_store(const std::string& key, const std::string& options) const;

  DeviceInfo info_;
  cl::Context context_;
  cl::Device device_;
  bool use_store_;
  BinaryStore store_;
  std::map<std::string, Program> programs_;
  std::map<std::string, std::shared_ptr<Kernel::State>> kernels_;
};

}  // namespace vitcl
