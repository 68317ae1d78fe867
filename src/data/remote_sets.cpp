// Where published data sets are, and what is in them.
#include <fmt/format.h>

#include "vitcl/backend/error.hpp"
#include "vitcl/data/fetch.hpp"

namespace vitcl::data {
namespace {

constexpr uint64_t train_images = 47040016, train_labels = 60008, test_images = 7840016, test_labels = 10008;

std::vector<RemoteFile> idx_files(const std::vector<const char*>& sha256) {
  return {{"train-images-idx3-ubyte.gz", true, sha256[0], train_images},
          {"train-labels-idx1-ubyte.gz", true, sha256[1], train_labels},
          {"t10k-images-idx3-ubyte.gz", true, sha256[2], test_images},
          {"t10k-labels-idx1-ubyte.gz", true, sha256[3], test_labels}};
}

}  // namespace

const std::vector<RemoteSet>& remote_sets() {
  static const std::vector<RemoteSet> sets{
      {"mnist",
       {"https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"},
       idx_files({"ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                  "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                  "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                  "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"})},
      {"fashion-mnist",
       {"https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets"},
       idx_files({"c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                  "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                  "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                  "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"})},
      {"cifar10",
       {"https://www.cs.toronto.edu/~kriz", "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10"},
       {{"cifar-10-binary.tar.gz",
         false,
         "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
         170052171,
         {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin",
          "test_batch.bin"},
         30730000}}}};
  return sets;
}

const RemoteSet& remote_set(const std::string& name) {
  std::vector<std::string> names;
  for (const RemoteSet& set : remote_sets()) {
    if (set.name == name) return set;
    names.push_back(set.name);
  }
  throw UsageError(fmt::format("there is no data set \"{}\" to fetch; there are {}", name, fmt::join(names, ", ")));
}

}  // namespace vitcl::data
