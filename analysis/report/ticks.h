#pragma once

#include <vector>

namespace hyscale::analysis {

/// Round values inside [low, high], about `wanted` of them: 1, 2, 5 times a power of ten.
std::vector<double> linear_ticks(double low, double high, int wanted);

/// The same on a logarithmic axis, low > 0: whole decades (or every second, third …), with 2 and 5 in between, or round
/// linear steps when the axis spans less than that.
std::vector<double> log_ticks(double low, double high, int wanted);

}  // namespace hyscale::analysis
