#include <clblast.h>
#include <fmt/format.h>

#include <mutex>
#include <set>

#include "backend/native.hpp"
#include "vitcl/backend/gemm.hpp"

namespace vitcl {
namespace {

// CLBlast keeps compiled programs of all devices in one cache whose lock has a hole (CLBlast 1.5.3), hence one lock
// around every call; the cache holds references to the context, hence it is emptied when a device closes.
std::mutex& clblast_lock() {
  static std::mutex lock;
  return lock;
}

void clear_cache_at_close(Device::State& device) {
  static std::set<const Device::State*> known;
  const std::lock_guard guard(clblast_lock());
  if (!known.insert(&device).second) return;
  device.at_close.emplace_back([&device] {
    const std::lock_guard closing(clblast_lock());
    known.erase(&device);
    clblast::ClearCache();
  });
}

clblast::Transpose transposed(bool transpose) { return transpose ? clblast::Transpose::kYes : clblast::Transpose::kNo; }

double flops(const ClblastGemm& p) {
  return 2 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
}

double bytes(const ClblastGemm& p) {
  const auto m = static_cast<double>(p.m), n = static_cast<double>(p.n), k = static_cast<double>(p.k);
  return sizeof(float) * (m * k + k * n + m * n);
}

void run(Queue::State& state, const ClblastGemm& p, const Buffer& a, const Buffer& b, const Buffer& c) {
  cl_command_queue queue = state.queue();
  cl_event event = nullptr;
  const auto status = [&] {
    const std::lock_guard guard(clblast_lock());
    return clblast::Gemm<float>(clblast::Layout::kRowMajor, transposed(p.transpose_a), transposed(p.transpose_b), p.m,
                                p.n, p.k, p.alpha, NativeAccess::memory(a), 0, p.lda, NativeAccess::memory(b), 0, p.ldb,
                                p.beta, NativeAccess::memory(c), 0, p.ldc, &queue, state.profiling ? &event : nullptr);
  }();
  if (status != clblast::StatusCode::kSuccess) {
    throw ClError(static_cast<int>(status), "clblast::Gemm", fmt::format("m={} n={} k={}", p.m, p.n, p.k));
  }
  if (event == nullptr) return;
  state.pending.push_back({"clblast_gemm", cl::Event(event), flops(p), bytes(p)});
}

}  // namespace

void clblast_gemm(Queue& queue, const ClblastGemm& problem, const Buffer& a, const Buffer& b, const Buffer& c) {
  clear_cache_at_close(NativeAccess::state(queue.device()));
  queue.device().choices().count(flops(problem), bytes(problem));
  NativeAccess::submit(queue, [problem, a, b, c](Queue::State& state) { run(state, problem, a, b, c); });
}

}  // namespace vitcl
