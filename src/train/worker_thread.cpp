#include "worker_thread.hpp"

namespace vitcl::train {

WorkerThread::WorkerThread() : thread_([this] { work(); }) {}

WorkerThread::~WorkerThread() {
  {
    const std::lock_guard guard(mutex_);
    ends_ = true;
  }
  wakes_.notify_one();
  thread_.join();
}

std::future<void> WorkerThread::run(std::function<void()> task) {
  std::packaged_task<void()> packaged(std::move(task));
  std::future<void> done = packaged.get_future();
  {
    const std::lock_guard guard(mutex_);
    tasks_.push_back(std::move(packaged));
  }
  wakes_.notify_one();
  return done;
}

void WorkerThread::work() {
  for (;;) {
    std::packaged_task<void()> task;
    {
      std::unique_lock lock(mutex_);
      wakes_.wait(lock, [&] { return ends_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace vitcl::train
