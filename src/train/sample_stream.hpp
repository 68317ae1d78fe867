#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <vector>

#include "vitcl/data/dataset.hpp"
#include "vitcl/tensor/tensor.hpp"
#include "worker_thread.hpp"

namespace vitcl::train {

/// Brings a split's images to a device in chunks, in the order in which steps take them, through two buffers: while
/// steps read one, threads decode and copy the next chunk to the other. It never changes what is computed.
class SampleStream {
 public:
  /// A chunk is of `chunk` images or a little fewer. `split` must outlive it.
  SampleStream(Device& device, const data::Split& split, size_t chunk, size_t workers);
  ~SampleStream();
  SampleStream(const SampleStream&) = delete;
  SampleStream& operator=(const SampleStream&) = delete;

  /// The two buffers, (chunk, channels, side, side) u8.
  const std::vector<Tensor>& buffers() const { return buffers_; }

  /// The sample numbers of an epoch, counted from 0, in their order.
  using Order = std::function<std::vector<int32_t>(size_t epoch)>;
  /// From now on steps take `batch` images each. Returns where in a buffer each position of an epoch lies.
  std::vector<int32_t> begin(size_t batch, Order order);

  /// The number of the buffer with a step's images. Waits until they are there; must be called for each step, right
  /// before it is enqueued. Steps in their order, epoch after epoch, find their images fetched ahead; any other step
  /// begins anew. Throws DataError where an image can't be read.
  size_t buffer(Queue& queue, size_t epoch, size_t step);

  /// How long the device had nothing to do for want of images.
  double waited_seconds() const { return waited_seconds_; }

 private:
  void fill(size_t chunk, const Mark& free);
  void restart(Queue& queue, size_t chunk);
  void fill_now(size_t chunk);

  const data::Split& split_;
  size_t chunk_, workers_;
  std::vector<Tensor> buffers_;
  Queue transfers_;               // the worker's
  std::vector<uint8_t> staging_;  // the worker's
  std::vector<int32_t> numbers_;  // the worker's: of epoch numbers_epoch_
  std::optional<size_t> numbers_epoch_;
  size_t chunk_images_ = 0, chunk_steps_ = 0, chunks_ = 0;  // in a chunk; in an epoch
  Order order_;
  std::optional<size_t> current_;  // the chunk that steps read, counted over all epochs
  std::future<void> filled_[2];
  double waited_seconds_ = 0;
  std::atomic<bool> ends_ = false;
  WorkerThread worker_;  // last: it ends first
};

}  // namespace vitcl::train
