#pragma once

#include <chrono>
#include <string>

namespace hyscale {

/// Time, injected where tests must move it.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual double unix_seconds() const = 0;  // since 1970, jumps with the system clock
  virtual double steady_seconds() const = 0;
  virtual void sleep(double seconds) const = 0;
  static const Clock& system();
};

std::string format_utc(double unix_seconds);  // "2026-03-01T12:34:56Z"
std::string format_duration(double seconds);  // "1h02m", "4m30s", "12s"

}  // namespace hyscale
