#pragma once

#include <string>
#include <vector>

#include "analysis/bootstrap.h"

namespace hyscale::analysis {

/// 20000 -> "20K", 352000000 -> "352M", 1.49e9 -> "1.49B": parameters and tokens, three digits. "–" when missing.
std::string short_count(double value);
/// 2e19 -> "2e19": budgets, at most three digits.
std::string short_flops(double value);
/// "3.1502", "–" when missing.
std::string fixed(double value, int digits);

enum class Quantity { count, loss, exponent, general };
std::string number_text(double value, Quantity quantity);
/// "212M to 405M"; "above 212M" or "below 405M" for an end left open; "not available".
std::string interval_text(const Interval& interval, Quantity quantity);

/// Columns padded to their widest cell, the first row underlined; numbers are the caller's text.
std::string text_table(const std::vector<std::vector<std::string>>& rows);

}  // namespace hyscale::analysis
