// An OpenCL layer (OPENCL_LAYERS) in which devices fail in the middle of a run. VITCL_TEST_FAILURES=2:80 lets a context
// fail for good at its 80th kernel that loads images, until two have: whichever they are.

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl_layer.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string_view>

namespace {

const cl_icd_dispatch* target = nullptr;
cl_icd_dispatch layer;

constexpr cl_int failure = CL_DEVICE_NOT_AVAILABLE;
constexpr std::string_view counted_kernel = "load_images";

/// Which contexts have failed.
class Failures {
 public:
  Failures() {
    const char* text = std::getenv("VITCL_TEST_FAILURES");
    if (text == nullptr) return;
    char* end = nullptr;
    left_ = std::strtol(text, &end, 10);
    limit_ = std::strtol(end + 1, nullptr, 10);
  }

  bool has_failed(cl_command_queue queue) {
    const std::lock_guard guard(mutex_);
    return failed_.contains(context_of(queue));
  }

  void count(cl_command_queue queue, cl_kernel kernel) {
    char name[256] = "";
    target->clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, nullptr);
    if (name != counted_kernel) return;
    const std::lock_guard guard(mutex_);
    const cl_context context = context_of(queue);
    if (++launches_[context] < limit_ || left_ == 0) return;
    left_ -= failed_.insert(context).second ? 1 : 0;
  }

 private:
  static cl_context context_of(cl_command_queue queue) {
    cl_context context = nullptr;
    target->clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof context, &context, nullptr);
    return context;
  }

  std::mutex mutex_;
  long left_ = 0, limit_ = 0;
  std::map<cl_context, long> launches_;
  std::set<cl_context> failed_;
};

Failures& failures() {
  static Failures all;
  return all;
}

cl_int CL_API_CALL launch(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t* offset,
                          const size_t* global, const size_t* local, cl_uint events, const cl_event* wait,
                          cl_event* event) {
  failures().count(queue, kernel);
  if (failures().has_failed(queue)) return failure;
  return target->clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, events, wait, event);
}

cl_int CL_API_CALL read(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t size,
                        void* memory, cl_uint events, const cl_event* wait, cl_event* event) {
  if (failures().has_failed(queue)) return failure;
  return target->clEnqueueReadBuffer(queue, buffer, blocking, offset, size, memory, events, wait, event);
}

cl_int CL_API_CALL write(cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t size,
                         const void* memory, cl_uint events, const cl_event* wait, cl_event* event) {
  if (failures().has_failed(queue)) return failure;
  return target->clEnqueueWriteBuffer(queue, buffer, blocking, offset, size, memory, events, wait, event);
}

cl_int CL_API_CALL finish(cl_command_queue queue) {
  return failures().has_failed(queue) ? failure : target->clFinish(queue);
}

}  // namespace

cl_int CL_API_CALL clGetLayerInfo(cl_layer_info name, size_t size, void* value, size_t* size_needed) {
  if (name != CL_LAYER_API_VERSION) return CL_INVALID_VALUE;
  const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
  if (value != nullptr && size < sizeof version) return CL_INVALID_VALUE;
  if (value != nullptr) std::memcpy(value, &version, sizeof version);
  if (size_needed != nullptr) *size_needed = sizeof version;
  return CL_SUCCESS;
}

cl_int CL_API_CALL clInitLayer(cl_uint entries, const cl_icd_dispatch* dispatch, cl_uint* own_entries,
                               const cl_icd_dispatch** own_dispatch) {
  constexpr size_t all = sizeof(cl_icd_dispatch) / sizeof(void*);
  if (entries < all || dispatch == nullptr || own_entries == nullptr || own_dispatch == nullptr) {
    return CL_INVALID_VALUE;
  }
  target = dispatch;
  layer = *dispatch;
  layer.clEnqueueNDRangeKernel = launch;
  layer.clEnqueueReadBuffer = read;
  layer.clEnqueueWriteBuffer = write;
  layer.clFinish = finish;
  *own_entries = all;
  *own_dispatch = &layer;
  return CL_SUCCESS;
}
