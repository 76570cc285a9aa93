#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "exchange/homes.h"

namespace hyscale::exchange {

/// A tensor of the other file, which is a window of one of our parameters. A vector counts as a matrix of one row.
struct TensorLink {
  std::string theirs;
  std::vector<int64_t> shape;  // theirs; as many numbers as the window, in the same order
  std::string ours;            // "layers.0.mixer.qkv.weight"
  int64_t row = 0, rows = 0;
  int64_t column = 0, columns = 0;
  int64_t width = 0;  // columns of the whole parameter
};

/// Every tensor that the class expects for the model, which it must be able to hold (reasons_against is empty). The
/// windows cover each of our parameters; where a joint projection is written for both branches, twice.
std::vector<TensorLink> tensor_links(Home home, const spec::ModelConfig& model);

}  // namespace hyscale::exchange
