#include "backend/device_identity.hpp"

#include <CL/cl_ext.h>
#include <fmt/format.h>

#include <optional>

namespace vitcl {
namespace {

template <class Value>
std::optional<Value> query(const cl::Device& device, cl_device_info name) {
  Value value{};
  const cl_int status = clGetDeviceInfo(device(), name, sizeof value, &value, nullptr);
  return status == CL_SUCCESS ? std::optional(value) : std::nullopt;
}

// cl_nv_device_attribute_query: a slot is a device's number and the three bits of its function.
constexpr cl_device_info nv_bus = 0x4008, nv_slot = 0x4009, nv_domain = 0x400A;

// cl_amd_device_attribute_query: cl_device_topology_amd, of type 1 for PCI Express.
struct AmdTopology {
  cl_uint type;
  cl_uchar unused[17];
  cl_uchar bus, device, function;
};

}  // namespace

bool has_extension(const std::string& extensions, const std::string& name) {
  return (" " + extensions + " ").find(" " + name + " ") != std::string::npos;
}

std::string uuid_text(const std::array<unsigned char, 16>& uuid) {
  std::string text;
  for (size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", uuid[i]);
  }
  return text;
}

std::string pci_text(unsigned domain, unsigned bus, unsigned device, unsigned function) {
  return fmt::format("{:04x}:{:02x}:{:02x}.{:x}", domain, bus, device, function);
}

std::string uuid_of(const cl::Device& device, const std::string& extensions) {
  if (!has_extension(extensions, "cl_khr_device_uuid")) return "";
  const auto uuid = query<std::array<unsigned char, 16>>(device, CL_DEVICE_UUID_KHR);
  return uuid ? uuid_text(*uuid) : "";
}

std::string pci_address_of(const cl::Device& device, const std::string& extensions) {
  if (has_extension(extensions, "cl_khr_pci_bus_info")) {
    if (const auto pci = query<cl_device_pci_bus_info_khr>(device, CL_DEVICE_PCI_BUS_INFO_KHR)) {
      return pci_text(pci->pci_domain, pci->pci_bus, pci->pci_device, pci->pci_function);
    }
  }
  if (has_extension(extensions, "cl_nv_device_attribute_query")) {
    const auto bus = query<cl_uint>(device, nv_bus), slot = query<cl_uint>(device, nv_slot);
    if (bus && slot) return pci_text(query<cl_uint>(device, nv_domain).value_or(0), *bus, *slot >> 3, *slot & 7);
  }
  if (has_extension(extensions, "cl_amd_device_attribute_query")) {
    const auto topology = query<AmdTopology>(device, CL_DEVICE_TOPOLOGY_AMD);
    if (topology && topology->type == 1) return pci_text(0, topology->bus, topology->device, topology->function);
  }
  return "";
}

}  // namespace vitcl
