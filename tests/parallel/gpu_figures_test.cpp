#include <gtest/gtest.h>

#include "parallel/gpu_sensors.h"
#include "parallel/gpu_yardstick.h"

namespace hyscale::parallel {
namespace {

TEST(GpuSensors, ReadTheLineOfNvidiaSmi) {
  const GpuSensors sensors = parse_sensors("1440, 692.13, 61, 580.65.06\n");
  EXPECT_EQ(sensors.sm_clock_mhz, 1440);
  EXPECT_EQ(sensors.power_watts, 692.13);
  EXPECT_EQ(sensors.temperature_celsius, 61);
  EXPECT_EQ(sensors.driver, "580.65.06");
}

TEST(GpuSensors, LeaveOutWhatTheGpuDoesNotTell) {
  const GpuSensors sensors = parse_sensors("1440, [N/A], 61, 580.65.06");
  EXPECT_EQ(sensors.sm_clock_mhz, 1440);
  EXPECT_FALSE(sensors.power_watts);
  EXPECT_FALSE(parse_sensors("").sm_clock_mhz);
}

TEST(DensePeak, IsKnownByTheDriversNameOfTheGpu) {
  EXPECT_EQ(dense_bf16_peak("NVIDIA H200")->flops, 989e12);
  EXPECT_EQ(dense_bf16_peak("NVIDIA H100 80GB HBM3")->gpu, "H100 SXM");
  EXPECT_EQ(dense_bf16_peak("NVIDIA H100 PCIe")->gpu, "H100 PCIe");
  EXPECT_EQ(dense_bf16_peak("NVIDIA A100-SXM4-80GB")->flops, 312e12);
  EXPECT_EQ(dense_bf16_peak("NVIDIA B200")->flops, 2250e12);
  EXPECT_FALSE(dense_bf16_peak("NVIDIA GB200"));
  EXPECT_FALSE(dense_bf16_peak("NVIDIA L4"));
}

}  // namespace
}  // namespace hyscale::parallel
