#include "exchange/safetensors.h"

#include <cmath>
#include <cstring>
#include <gmock/gmock.h>

#include "core/base/error.h"
#include "exchange/weight_files.h"
#include "tests/support/scratch.h"

namespace hyscale::exchange {
namespace {

using testing::HasSubstr;

TensorToWrite tensor(const std::string& name, std::vector<int64_t> shape, std::vector<float> values) {
  return {.name = name, .shape = std::move(shape), .fill = [values](std::span<float> out) {
            std::copy(values.begin(), values.end(), out.begin());
          }};
}

/// A file as its format says, of this header and these bytes.
std::string file_of(const std::string& header, const std::string& numbers) {
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<char>((header.size() >> (8 * i)) & 0xff);
  return length + header + numbers;
}

class Safetensors : public testing::Test {
 protected:
  std::string message_of(const std::string& content) {
    write_file_atomically(path_, content);
    try {
      (void)SafetensorsFile(path_);
    } catch (const DamagedFile& e) {
      return e.what();
    }
    return "read without complaint";
  }
  std::vector<float> values(const SafetensorsFile& file, const std::string& name, size_t count) {
    std::vector<float> out(count);
    file.read(name, out);
    return out;
  }

  hyscale::tests::ScratchDirectory scratch_;
  std::string path_ = scratch_ / "model.safetensors";
};

TEST_F(Safetensors, GiveBackWhatWasWritten) {
  const std::vector<float> numbers{1, -2.5f, 3e-41f, INFINITY, 5, 6};
  write_safetensors(path_, {{"format", "pt"}}, {tensor("b", {2, 3}, numbers), tensor("a", {1}, {7})}, StoredType::f32);
  const SafetensorsFile file(path_);
  EXPECT_EQ(file.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(file.shape("b"), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(file.notes().at("format"), "pt");
  EXPECT_EQ(values(file, "b", 6), numbers);
  EXPECT_EQ(values(file, "a", 1), std::vector<float>{7});
}

TEST_F(Safetensors, StandAlignedBehindALittleEndianLength) {
  write_safetensors(path_, {}, {tensor("a", {2}, {1, 2})}, StoredType::f32);
  const std::string content = read_file(path_);
  const auto header = static_cast<unsigned char>(content[0]);
  EXPECT_EQ(header % 8, 0);
  EXPECT_EQ(content.size(), 8u + header + 8u);
  EXPECT_EQ(content.substr(8, 5), "{\"a\":");
}

TEST_F(Safetensors, RoundBf16ToNearestWithTiesToEven) {
  EXPECT_EQ(from_bf16(to_bf16(1.0f)), 1.0f);
  EXPECT_EQ(from_bf16(to_bf16(1.0f + 0x1p-8f)), 1.0f);                // a tie: the even one is below
  EXPECT_EQ(from_bf16(to_bf16(1.0f + 3 * 0x1p-8f)), 1.0f + 0x1p-6f);  // a tie: the even one is above
  EXPECT_EQ(from_bf16(to_bf16(1.0f + 0x1.02p-8f)), 1.0f + 0x1p-7f);   // just above a tie
  EXPECT_EQ(from_bf16(to_bf16(-INFINITY)), -INFINITY);
  EXPECT_TRUE(std::isnan(from_bf16(to_bf16(NAN))));
  EXPECT_EQ(from_bf16(to_bf16(3.4e38f)), INFINITY);
}

TEST_F(Safetensors, ReadHalfPrecisionExactly) {
  EXPECT_EQ(from_f16(0x3c00), 1.0f);
  EXPECT_EQ(from_f16(0xc000), -2.0f);
  EXPECT_EQ(from_f16(0x0001), 0x1p-24f);  // the smallest subnormal
  EXPECT_EQ(from_f16(0x7bff), 65504.0f);
  EXPECT_EQ(from_f16(0xfc00), -INFINITY);
  EXPECT_TRUE(std::isnan(from_f16(0x7e00)));
  write_file_atomically(path_,
                        file_of(R"({"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})", {"\0\x3c\0\xc0", 4}));
  EXPECT_EQ(values(SafetensorsFile(path_), "h", 2), (std::vector<float>{1, -2}));
}

TEST_F(Safetensors, AreRefusedWithTheNameOfWhatIsWrong) {
  const std::string eight(8, 'x');
  EXPECT_THAT(message_of(""), HasSubstr("too few for any header"));
  EXPECT_THAT(message_of(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)), HasSubstr("its header should have"));
  EXPECT_THAT(message_of(file_of("{\"a\":", "")), HasSubstr("no JSON object"));
  EXPECT_THAT(message_of(file_of(R"({"a":{"dtype":"F32","shape":[2]}})", eight)),
              HasSubstr("tensor a has no dtype, shape"));
  EXPECT_THAT(message_of(file_of(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", eight)),
              HasSubstr("tensor a"));
  EXPECT_THAT(message_of(file_of(R"({"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}})", eight)),
              HasSubstr("unknown dtype F31"));
  EXPECT_THAT(message_of(file_of(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", eight)),
              HasSubstr("tensor a has 8 bytes"));
  EXPECT_THAT(message_of(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", eight)),
              HasSubstr("bytes 4 to 12 of 8"));
  EXPECT_THAT(message_of(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", eight)),
              HasSubstr("4 bytes in front of tensor a"));
  EXPECT_THAT(message_of(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", eight)),
              HasSubstr("4 bytes at its end"));
  EXPECT_THAT(
      message_of(file_of(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
          eight)),
      HasSubstr("tensor b overlaps"));
  EXPECT_THAT(
      message_of(file_of(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
          eight)),
      HasSubstr("tensor a is there twice"));
  EXPECT_THAT(
      message_of(file_of(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", eight)),
      HasSubstr("tensor a has 8 bytes"));
}

TEST_F(Safetensors, CutShortAreNoticedAtEveryLength) {
  write_safetensors(path_, {}, {tensor("a", {2, 2}, {1, 2, 3, 4}), tensor("b", {1}, {5})}, StoredType::bf16);
  const std::string whole = read_file(path_);
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(message_of(whole.substr(0, length)), "read without complaint") << length << " of " << whole.size();
}

TEST_F(Safetensors, OfWholeNumbersAreNoWeights) {
  write_file_atomically(path_,
                        file_of(R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", std::string(8, 'x')));
  const SafetensorsFile file(path_);
  EXPECT_THROW(values(file, "a", 1), ConfigError);
  EXPECT_THROW(values(file, "b", 1), DamagedFile);
}

TEST_F(Safetensors, LeaveNothingBehindWhenTheyCannotBeWritten) {
  EXPECT_THROW(write_safetensors(scratch_ / "absent/model.safetensors", {}, {tensor("a", {1}, {1})}, StoredType::f32),
               IoError);
  const auto fails = [](std::span<float>) { throw IoError({.what = "the source ended"}); };
  EXPECT_THROW(write_safetensors(path_, {}, {{.name = "a", .shape = {1}, .fill = fails}}, StoredType::f32), IoError);
  EXPECT_TRUE(std::filesystem::is_empty(std::filesystem::path(path_).parent_path()));
}

TEST_F(Safetensors, InShardsAreFoundThroughTheirIndex) {
  const std::string directory = std::filesystem::path(path_).parent_path();
  write_safetensors(directory + "/model-1.safetensors", {}, {tensor("a", {1}, {1})}, StoredType::f32);
  write_safetensors(directory + "/model-2.safetensors", {}, {tensor("b", {1}, {2})}, StoredType::f32);
  write_file_atomically(path_ + ".index.json",
                        R"({"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}})");
  const WeightFiles weights(directory);
  EXPECT_EQ(weights.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(values(weights.file_of("b"), "b", 1), std::vector<float>{2});

  const auto refused = [&](const std::string& index) {
    write_file_atomically(path_ + ".index.json", index);
    try {
      (void)WeightFiles(directory);
    } catch (const DamagedFile& e) {
      return std::string(e.what());
    }
    return std::string("read without complaint");
  };
  EXPECT_THAT(refused(R"({"weight_map":{"b":"model-1.safetensors"}})"), HasSubstr("does not hold tensor b"));
  EXPECT_THAT(refused(R"({"weight_map":{"b":"model-3.safetensors"}})"), HasSubstr("model-3.safetensors is not there"));
  EXPECT_THAT(refused(R"({"weight_map":{"b":"../model-1.safetensors"}})"), HasSubstr("the file of tensor b"));
  EXPECT_THAT(refused("{"), HasSubstr("no weight_map"));
}

}  // namespace
}  // namespace hyscale::exchange
