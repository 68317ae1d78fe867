#include "vitcl/io/safetensors.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>

#include "support/errors.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/io/atomic_file.hpp"
#include "vitcl/tensor/random.hpp"

namespace vitcl::io {
namespace {

using test::error_of;
using test::says;
using test::TemporaryFolder;

const std::vector<float> six_floats{1.5F, -2, 0, 3e-40F, 1e30F, -0.0F};

SafeTensors sample() {
  SafeTensors file;
  file.tensors["weights"] = HostTensor::from({2, 3}, std::span<const float>(six_floats));
  file.tensors["scalar"] = HostTensor::from({}, std::span<const float>(six_floats).first(1));
  file.tensors["empty"] = HostTensor::from({4, 0}, std::span<const float>());
  const std::vector<int32_t> labels{-1, 7, 2000000000};
  file.tensors["labels"] = HostTensor::from({3}, std::span<const int32_t>(labels));
  const std::vector<uint8_t> mask{1, 0, 1, 1, 0};
  file.tensors["mask"] = HostTensor::from({5}, std::span<const uint8_t>(mask));
  file.metadata = {{"config", "{\"dim\": 64}"}, {"quote", "a \"b\" \\ \u00e9\n"}};
  return file;
}

/// The bytes of a file with this header and as many data bytes.
std::vector<uint8_t> file_bytes(const std::string& header, size_t data_bytes) {
  std::vector<uint8_t> bytes(8 + header.size() + data_bytes);
  const uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

/// A header that is wrong, with as many bytes of data behind it, and what the error must say.
struct Hostile {
  const char* header;
  size_t data_bytes;
  const char* cause;
};

class SafeTensorsTest : public ::testing::Test {
 protected:
  void expect_causes(std::initializer_list<Hostile> cases) {
    for (const Hostile& hostile : cases)
      EXPECT_TRUE(says(read_error(file_bytes(hostile.header, hostile.data_bytes)), {path_.string(), hostile.cause}))
          << hostile.header;
  }
  std::string read_error(const std::vector<uint8_t>& bytes) {
    test::write_file(path_, bytes);
    return error_of<StorageError>([&] { read_safetensors(path_); });
  }
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "file.safetensors";
};

TEST_F(SafeTensorsTest, ReadsWhatItWrote) {
  write_safetensors(path_, sample());
  EXPECT_EQ(read_safetensors(path_), sample());
  EXPECT_EQ(folder_.entries(), 1U);
  write_safetensors(path_, {});
  EXPECT_EQ(read_safetensors(path_), SafeTensors{});
}

TEST_F(SafeTensorsTest, CarriesEveryTypeOfTheFormat) {
  SafeTensors file;
  for (int value = 0; value <= static_cast<int>(last_stored_type); ++value) {
    const auto type = static_cast<StoredType>(value);
    file.tensors[std::string(to_string(type))] = {type, Shape{3}, std::vector<uint8_t>(3 * size_of(type), 1)};
  }
  write_safetensors(path_, file);
  EXPECT_EQ(read_safetensors(path_).tensors, file.tensors);
  for (const char* name : {"U64", "I8", "F8_E4M3"})
    EXPECT_TRUE(says(error_of<StorageError>([&] { to_floats(file.tensors.at(name), "x"); }), {"x", name, "is wanted"}));
}

TEST_F(SafeTensorsTest, WritesEqualBytesAndAlignsEveryTensor) {
  write_safetensors(path_, sample());
  const std::vector<uint8_t> bytes = test::read_file(path_);
  write_safetensors(folder_ / "again", sample());
  EXPECT_EQ(test::read_file(folder_ / "again"), bytes);
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0U);
  const std::string header(bytes.begin() + 8, bytes.begin() + 8 + static_cast<std::ptrdiff_t>(length));
  EXPECT_LT(header.find("weights"), header.find("mask")) << "bytes come behind four-byte elements: " << header;
}

TEST_F(SafeTensorsTest, NamesTheCauseOfEveryHostileHeader) {
  expect_causes({
      {"[]", 0, "does not begin with '{'"},
      {"", 0, "does not begin with '{'"},
      {"{", 0, "no valid JSON"},
      {"{} {}", 0, "no valid JSON"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}", 4, "no valid JSON"},
      {"{\"\xff\":{}}", 0, "no valid JSON"},
      {"{\"a\":1}", 0, "\"a\" is a number, not an object"},
      {"{\"a\":null}", 0, "not an object"},
      {"{\"a\":[[[[]]]]}", 0, "not an object"},
      {"{\"a\":{}}", 0, "lacks dtype, shape or data_offsets"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "lacks dtype, shape or data_offsets"},
      {"{\"a\":{\"dtype\":\"Q4\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "the type \"Q4\", which is not known"},
      {"{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "holds a number"},
      {"{\"a\":{\"dtype\":[],\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "holds a list"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":\"1\",\"data_offsets\":[0,4]}}", 4, "holds a string"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "holds a negative number"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[[1]],\"data_offsets\":[0,4]}}", 4, "holds a list"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[{}],\"data_offsets\":[0,4]}}", 4, "holds an object"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[true],\"data_offsets\":[0,4]}}", 4, "holds a boolean"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":1}}", 4, "unknown field \"x\""},
      {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "\"dtype\" twice"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "\"shape\" twice"},
      {"{\"a\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "not known"},
      {"{\"\\ud800\":{}}", 0, "no valid JSON"},
      {"\xef\xbb\xbf{}", 0, "does not begin with '{'"},
      {" {}", 0, "does not begin with '{'"},
      {"{\"__metadata__\":{\"a\":[[[[[[[[]]]]]]]]}}", 0, "holds a list"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
       "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
       0, "the name \"a\" comes twice"},
      {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, "the metadata \"a\" comes twice"},
      {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "\"__metadata__\" comes twice"},
      {"{\"__metadata__\":{\"a\":1}}", 0, "holds a number"},
      {"{\"__metadata__\":{\"a\":{}}}", 0, "holds an object"},
      {"{\"__metadata__\":\"a\"}", 0, "not an object"},
  });
}

TEST_F(SafeTensorsTest, NamesTheCauseOfEveryHostilePlace) {
  expect_causes({
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4, "no whole number"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "1 data_offsets, not 2"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "needs 4 bytes"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "needs 8 bytes"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551615,18446744073709551615],\"data_offsets\":[0,4]}}", 4,
       "overflows"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905],\"data_offsets\":[0,4]}}", 4, "overflows"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0,4611686018427387905],\"data_offsets\":[0,0]}}", 0, "overflows"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905,0],\"data_offsets\":[0,0]}}", 0, "overflows"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[18446744073709551612,0]}}", 4, "needs 4 bytes"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[18446744073709551612,18446744073709551616]}}", 4,
       "no whole number"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 4, "3 data_offsets, not 2"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}", 6, "behind a hole"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
       "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}",
       6, "overlapping another"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}", 4, "no whole number"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "behind a hole"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, "4 bytes follow its last tensor"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 3, "the file is truncated"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
       "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
       4, "overlapping another"},
  });
}

/// `count` times `part`.
std::string repeated(const std::string& part, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += part;
  return text;
}

// Nothing is built of what nests deeply or goes on for long.
TEST_F(SafeTensorsTest, RefusesDeepAndLongLists) {
  constexpr size_t many = 1000000;
  EXPECT_TRUE(says(read_error(file_bytes("{\"a\":" + repeated("[", many), 0)), {"not an object"}));
  EXPECT_TRUE(says(read_error(file_bytes(repeated("{\"a\":", many), 0)), {"\"a\" has an unknown field \"a\""}));
  const std::string shape = "{\"a\":{\"dtype\":\"U8\",\"shape\":[" + repeated("1,", many) + "1]";
  EXPECT_TRUE(says(read_error(file_bytes(shape + ",\"data_offsets\":[0,1]}}", 1)), {"more than 64 numbers"}));
}

TEST_F(SafeTensorsTest, AcceptsWhatOtherProgramsWrite) {
  const std::string header =
      "{\"z\":{\"data_offsets\":[1,2],\"shape\":[],\"dtype\":\"BOOL\"},"
      "\"\\u00e9\":{\"dtype\":\"U8\",\"shape\":[1,1],\"data_offsets\":[0,1]},"
      "\"empty\":{\"dtype\":\"F64\",\"shape\":[0,3],\"data_offsets\":[1,1]},\"__metadata__\":{}}   ";
  test::write_file(path_, file_bytes(header, 2));
  const SafeTensors file = read_safetensors(path_);
  EXPECT_EQ(file.tensors.size(), 3U);
  EXPECT_EQ(file.tensors.at("\u00e9").shape, (Shape{1, 1}));
  EXPECT_EQ(file.tensors.at("z").bytes.size(), 1U);
}

TEST_F(SafeTensorsTest, TellsDamageFromWhatCanNotBeRead) {
  write_safetensors(path_, sample());
  EXPECT_TRUE(says(error_of<DamagedFile>([&] { read_safetensors(folder_ / "none"); }), {"another type"}));
  EXPECT_TRUE(says(error_of<DamagedFile>([&] { read_safetensors(path_, {.file_bytes = 64}); }), {"another type"}));
  std::filesystem::resize_file(path_, 60);
  EXPECT_TRUE(says(error_of<DamagedFile>([&] { read_safetensors(path_); }), {"truncated"}));
}

TEST_F(SafeTensorsTest, NamesTheCauseOfBadLengths) {
  EXPECT_TRUE(says(read_error({}), {"it has 0 bytes"}));
  EXPECT_TRUE(says(read_error({1, 2, 3}), {"it has 3 bytes"}));
  EXPECT_TRUE(says(read_error({200, 0, 0, 0, 0, 0, 0, 0, '{', '}'}), {"200 bytes, but only 2 follow"}));
  EXPECT_TRUE(says(read_error(std::vector<uint8_t>(16, 0xFF)), {"more than the 100000000 allowed"}));
  write_safetensors(path_, sample());
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_safetensors(path_, {.file_bytes = 64}); }), {"64 allowed"}));
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_safetensors(path_, {.header_bytes = 16}); }), {"16 allowed"}));
}

TEST_F(SafeTensorsTest, RefusesWhatIsNoFile) {
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_safetensors(folder_.path()); }), {"no regular file"}));
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_safetensors(folder_ / "none"); }), {"no such file"}));
  EXPECT_TRUE(says(error_of<StorageError>([&] { read_safetensors("/dev/zero"); }), {"no regular file"}));
}

TEST_F(SafeTensorsTest, EveryTruncationIsAnError) {
  write_safetensors(path_, sample());
  const std::vector<uint8_t> bytes = test::read_file(path_);
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_TRUE(says(read_error({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}), {"can't read"}))
        << size;
}

// A changed byte gives a file that is read or an error that names it; never anything else.
TEST_F(SafeTensorsTest, SurvivesMutatedFiles) {
  write_safetensors(path_, sample());
  const std::vector<uint8_t> bytes = test::read_file(path_);
  const std::string alphabet = "{}[],:\"0123456789-.e \\utrFI";
  Random random(2024);
  size_t refused = 0;
  constexpr size_t rounds = 3000;
  for (size_t round = 0; round < rounds; ++round) {
    std::vector<uint8_t> mutated = bytes;
    for (uint32_t change = 0; change < 1 + random.below(4); ++change) {
      uint8_t& byte = mutated.at(random.below(static_cast<uint32_t>(mutated.size())));
      byte = random.below(2) == 0
                 ? static_cast<uint8_t>(random.next())
                 : static_cast<uint8_t>(alphabet[random.below(static_cast<uint32_t>(alphabet.size()))]);
    }
    if (random.below(8) == 0) mutated.resize(random.below(static_cast<uint32_t>(mutated.size() + 16)));
    const std::string error = read_error(mutated);
    if (error == "no error") continue;
    ++refused;
    ASSERT_TRUE(says(error, {"can't read " + path_.string() + " as safetensors"})) << "round " << round;
  }
  EXPECT_GT(refused, rounds / 4);
}

TEST_F(SafeTensorsTest, AFailedWriteLeavesTheOldFileAndNothingElse) {
  write_safetensors(path_, sample());
  const std::vector<uint8_t> before = test::read_file(path_);
  SafeTensors large;
  const std::vector<float> values(100000, 1.0F);
  large.tensors["large"] = HostTensor::from({values.size()}, std::span<const float>(values));

  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  rlimit limit = old_limit;
  limit.rlim_cur = 50000;  // the write of the tensor fails half way
  setrlimit(RLIMIT_FSIZE, &limit);
  const std::string error = error_of<StorageError>([&] { write_safetensors(path_, large); });
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);

  EXPECT_TRUE(says(error, {"can't save " + path_.string(), "File too large"}));
  EXPECT_EQ(test::read_file(path_), before);
  EXPECT_EQ(folder_.entries(), 1U);
}

TEST_F(SafeTensorsTest, NamesTheReasonOfEveryFailedWrite) {
  EXPECT_TRUE(says(error_of<StorageError>([&] { write_safetensors(folder_ / "no" / "file", {}); }),
                   {"No such file or directory"}));
  EXPECT_TRUE(says(error_of<StorageError>([&] { write_safetensors("/dev/null/file", {}); }), {"Not a directory"}));
  std::filesystem::create_directory(folder_ / "taken");
  EXPECT_TRUE(says(error_of<StorageError>([&] { write_safetensors(folder_ / "taken", {}); }), {"rename"}));
  SafeTensors bad = sample();
  bad.tensors["weights"].bytes.pop_back();
  EXPECT_TRUE(says(error_of<StorageError>([&] { write_safetensors(path_, bad); }),
                   {"tensor weights has 23 bytes, but F32 (2, 3) needs 24"}));
  EXPECT_TRUE(says(error_of<StorageError>([&] { write_safetensors(path_, {{}, {{"a", "\xff"}}}); }), {"UTF-8"}));
  bad = {};
  bad.tensors["__metadata__"] = sample().tensors["mask"];
  EXPECT_TRUE(says(error_of<StorageError>([&] { write_safetensors(path_, bad); }), {"taken by the format"}));
  EXPECT_EQ(folder_.entries(), 1U);  // the folder "taken"
}

TEST_F(SafeTensorsTest, PartialFilesOfKilledProcessesAreRemoved) {
  write_text_file(folder_ / "kept.toml", "a = 1\n");
  test::write_file(folder_ / ".checkpoint.safetensors.4711.partial", {});
  EXPECT_EQ(remove_partial_files(folder_.path()), 1U);
  EXPECT_EQ(remove_partial_files(folder_.path()), 0U);
  EXPECT_EQ(test::read_file(folder_ / "kept.toml").size(), 6U);
}

template <class T>
HostTensor stored(StoredType type, const std::vector<T>& values) {
  HostTensor tensor{type, Shape{values.size()}, std::vector<uint8_t>(values.size() * sizeof(T))};
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

TEST(HostTensor, ConvertsEveryFloatingType) {
  EXPECT_EQ(to_floats(stored<float>(StoredType::f32, {1.5F, -0.0F}), "a"), (std::vector<float>{1.5F, -0.0F}));
  EXPECT_EQ(to_floats(stored<double>(StoredType::f64, {0.1, -3}), "a"), (std::vector<float>{0.1F, -3}));
  EXPECT_EQ(to_floats(stored<uint16_t>(StoredType::bf16, {0x3FC0, 0xC000, 0}), "a"), (std::vector<float>{1.5F, -2, 0}));
  const std::vector<float> halves = to_floats(
      stored<uint16_t>(StoredType::f16, {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x8400, 0x3555, 0x7C00, 0x7E00}), "a");
  EXPECT_EQ((std::vector<float>(halves.begin(), halves.begin() + 6)),
            (std::vector<float>{1, -2, 65504, 0x1p-24F, -0x1p-14F, 0.333251953125F}));
  EXPECT_EQ(halves[6], std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(halves[7]));
}

TEST(HostTensor, ChecksTypesAndRanges) {
  EXPECT_EQ(to_ints(stored<int64_t>(StoredType::i64, {-5, 2147483647}), "a"), (std::vector<int32_t>{-5, 2147483647}));
  EXPECT_TRUE(says(error_of<StorageError>([] { to_ints(stored<int64_t>(StoredType::i64, {2147483648}), "labels"); }),
                   {"labels holds 2147483648"}));
  EXPECT_EQ(to_bytes(stored<uint8_t>(StoredType::boolean, {1, 0}), "a"), (std::vector<uint8_t>{1, 0}));
  EXPECT_TRUE(says(error_of<StorageError>([] { to_floats(stored<uint8_t>(StoredType::u8, {1}), "x"); }),
                   {"tensor x is stored as U8, but F32"}));
  EXPECT_TRUE(says(error_of<StorageError>([] { to_ints(stored<float>(StoredType::f32, {1}), "x"); }), {"I32"}));
  EXPECT_TRUE(says(error_of<StorageError>([] { to_bytes(stored<float>(StoredType::f32, {1}), "x"); }), {"U8"}));
  EXPECT_THROW(HostTensor::from({2, 2}, std::span<const float>(six_floats)), ShapeError);
}

TEST(HostTensor, NamesTheFirstNumberThatIsNotFinite) {
  require_finite({{"a", {1, 2}}, {"b", {}}}, "the file");
  EXPECT_TRUE(says(error_of<StorageError>([] {
                     require_finite({{"a", {1, 2}}, {"b", {0, std::numeric_limits<float>::quiet_NaN()}}}, "the file x");
                   }),
                   {"the file x holds nan in element 1 of tensor b"}));
  EXPECT_THROW(require_finite({{"a", {-std::numeric_limits<float>::infinity()}}}, "x"), StorageError);
}

}  // namespace
}  // namespace vitcl::io
