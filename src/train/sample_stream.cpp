#include "sample_stream.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "data/parallel.hpp"

namespace vitcl::train {

SampleStream::SampleStream(Device& device, const data::Split& split, size_t chunk, size_t workers)
    : split_(split),
      chunk_(chunk),
      workers_(workers == 0 ? data::default_workers() : workers),
      transfers_(device),
      staging_(chunk * split.image_bytes()) {
  for (int i = 0; i < 2; ++i)
    buffers_.push_back(Tensor::empty(device, {chunk, split.channels, split.side, split.side}, DType::u8));
}

SampleStream::~SampleStream() { ends_ = true; }

std::vector<int32_t> SampleStream::begin(size_t batch, Order order) {
  chunk_steps_ = chunk_ / batch;
  chunk_images_ = chunk_steps_ * batch;
  chunks_ = (split_.count + chunk_images_ - 1) / chunk_images_;
  order_ = std::move(order);
  std::vector<int32_t> places(split_.count);
  for (size_t i = 0; i < places.size(); ++i) places[i] = static_cast<int32_t>(i % chunk_images_);
  return places;
}

size_t SampleStream::buffer(Queue& queue, size_t epoch, size_t step) {
  const size_t chunk = epoch * chunks_ + step / chunk_steps_;
  if (current_ == chunk) return chunk % 2;
  if (current_ && *current_ + 1 == chunk) {
    fill(chunk + 1, queue.mark());  // once the steps given so far have read the other buffer
  } else {
    restart(queue, chunk);
  }
  current_ = chunk;
  std::future<void>& filled = filled_[chunk % 2];
  if (filled.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    queue.finish();
    const auto start = std::chrono::steady_clock::now();
    filled.wait();
    waited_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  filled.get();
  return chunk % 2;
}

void SampleStream::restart(Queue& queue, size_t chunk) {
  current_.reset();
  queue.finish();
  fill(chunk, {});
  fill(chunk + 1, {});
}

/// Has the worker fill a buffer, behind what it was told before.
void SampleStream::fill(size_t chunk, const Mark& free) {
  filled_[chunk % 2] = worker_.run([this, chunk, free] {
    free.wait();
    fill_now(chunk);
  });
}

void SampleStream::fill_now(size_t chunk) {
  const size_t epoch = chunk / chunks_, first = chunk % chunks_ * chunk_images_, bytes = split_.image_bytes();
  if (numbers_epoch_ != epoch) numbers_ = order_(epoch);
  numbers_epoch_ = epoch;
  const size_t count = std::min(chunk_images_, split_.count - first);
  data::for_each_index(count, workers_, [&](size_t i) {
    if (!ends_) split_.read(static_cast<size_t>(numbers_[first + i]), std::span(staging_).subspan(i * bytes, bytes));
  });
  if (ends_) return;
  transfers_.write(buffers_[chunk % 2].buffer(), staging_.data(), count * bytes);
  transfers_.finish();  // a write that has returned is not yet, in every driver, seen by another queue's kernels
}

}  // namespace vitcl::train
