#pragma once

#include <optional>
#include <string>
#include <sys/types.h>

namespace hyscale::parallel {

/// What a GPU's sensors say; empty where nvidia-smi is absent or does not know.
struct GpuSensors {
  std::optional<double> sm_clock_mhz;
  std::optional<double> power_watts;
  std::optional<double> temperature_celsius;
  std::string driver;  // "580.65.06"
};

/// Reads "1440, 692.13, 61, 580.65.06", the answer of nvidia-smi; what is no number stays empty.
GpuSensors parse_sensors(const std::string& line);

/// nvidia-smi, asked in the background: the GPU may go on working meanwhile.
class SensorQuery {
 public:
  /// Starts it for the GPU on that PCI bus.
  explicit SensorQuery(const std::string& bus);
  ~SensorQuery();
  SensorQuery(const SensorQuery&) = delete;
  SensorQuery& operator=(const SensorQuery&) = delete;
  /// Whether an answer is there; does not wait.
  bool done();
  /// Waits for it.
  GpuSensors answer();

 private:
  pid_t pid_ = -1;  // -1: has ended, or never began
  int pipe_ = -1;   // its standard output
};

}  // namespace hyscale::parallel
