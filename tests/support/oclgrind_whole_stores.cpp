// Preloaded into programs that run in Oclgrind. Its record of which bytes of a buffer are initialised (21.10) survives
// only some stores by the host: each makes the record anew with the size of the store, though at another place of the
// buffer, and a released buffer's record is taken for the next one's. What lies outside of the record is garbage. So no
// buffer is released here, and the host stores whole buffers only: what it means to store, and around it what was
// there.

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace {

/// The function that Oclgrind itself has under this name.
template <class Function>
Function* original(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

template <class T>
T info(cl_mem buffer, cl_mem_info what) {
  T value{};
  clGetMemObjectInfo(buffer, what, sizeof(T), &value, nullptr);
  return value;
}

/// Changes a buffer's bytes by `change`, which gets the whole allocation and where the buffer starts in it.
cl_int store(cl_command_queue queue, cl_mem buffer, cl_event* event,
             const std::function<void(std::vector<unsigned char>& bytes, size_t start)>& change) {
  const auto parent = info<cl_mem>(buffer, CL_MEM_ASSOCIATED_MEMOBJECT);
  const cl_mem whole = parent != nullptr ? parent : buffer;
  const size_t start = parent != nullptr ? info<size_t>(buffer, CL_MEM_OFFSET) : 0;
  std::vector<unsigned char> bytes(info<size_t>(whole, CL_MEM_SIZE));
  const cl_int status = clEnqueueReadBuffer(queue, whole, CL_TRUE, 0, bytes.size(), bytes.data(), 0, nullptr, nullptr);
  if (status != CL_SUCCESS) return status;
  change(bytes, start);
  static const auto write = original<decltype(clEnqueueWriteBuffer)>("clEnqueueWriteBuffer");
  return write(queue, whole, CL_TRUE, 0, bytes.size(), bytes.data(), 0, nullptr, event);
}

}  // namespace

extern "C" {

cl_int clReleaseMemObject(cl_mem /*buffer*/) { return CL_SUCCESS; }

cl_int clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool /*blocking*/, size_t offset, size_t size,
                            const void* source, cl_uint /*waits*/, const cl_event* /*wait*/, cl_event* event) {
  if (offset + size > info<size_t>(buffer, CL_MEM_SIZE)) return CL_INVALID_VALUE;
  return store(queue, buffer, event, [&](std::vector<unsigned char>& bytes, size_t start) {
    std::copy_n(static_cast<const unsigned char*>(source), size, &bytes[start + offset]);
  });
}

cl_int clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void* pattern, size_t pattern_size,
                           size_t offset, size_t size, cl_uint /*waits*/, const cl_event* /*wait*/, cl_event* event) {
  if (offset + size > info<size_t>(buffer, CL_MEM_SIZE)) return CL_INVALID_VALUE;
  return store(queue, buffer, event, [&](std::vector<unsigned char>& bytes, size_t start) {
    for (size_t i = 0; i < size; ++i) {
      bytes[start + offset + i] = static_cast<const unsigned char*>(pattern)[i % pattern_size];
    }
  });
}

cl_int clEnqueueCopyBuffer(cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset, size_t to_offset,
                           size_t size, cl_uint /*waits*/, const cl_event* /*wait*/, cl_event* event) {
  std::vector<unsigned char> copied(size);
  const cl_int status =
      clEnqueueReadBuffer(queue, from, CL_TRUE, from_offset, size, copied.data(), 0, nullptr, nullptr);
  if (status != CL_SUCCESS) return status;
  return clEnqueueWriteBuffer(queue, to, CL_TRUE, to_offset, size, copied.data(), 0, nullptr, event);
}

}  // extern "C"
