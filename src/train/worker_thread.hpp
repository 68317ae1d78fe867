#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

namespace vitcl::train {

/// A thread that runs tasks one after the other, in the order in which they were given.
class WorkerThread {
 public:
  WorkerThread();
  /// Finishes the tasks.
  ~WorkerThread();
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  /// The future holds what the task throws.
  std::future<void> run(std::function<void()> task);

 private:
  void work();
  std::mutex mutex_;
  std::condition_variable wakes_;
  std::deque<std::packaged_task<void()>> tasks_;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace vitcl::train
