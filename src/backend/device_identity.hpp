#pragma once

#include <array>
#include <string>

#include "backend/native.hpp"

namespace vitcl {

/// "2210110f-a000-0332-faff-fffb8b170000" by cl_khr_device_uuid; empty where the driver does not tell it.
std::string uuid_of(const cl::Device& device, const std::string& extensions);

/// "0000:01:00.0" (domain, bus, device, function) by cl_khr_pci_bus_info, cl_nv_device_attribute_query or
/// cl_amd_device_attribute_query; empty where the driver tells it by none.
std::string pci_address_of(const cl::Device& device, const std::string& extensions);

/// How these are written.
std::string uuid_text(const std::array<unsigned char, 16>& uuid);
std::string pci_text(unsigned domain, unsigned bus, unsigned device, unsigned function);

/// Whether a list of extensions, with blanks between them, holds one.
bool has_extension(const std::string& extensions, const std::string& name);

}  // namespace vitcl
