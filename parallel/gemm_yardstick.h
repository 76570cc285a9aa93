#pragma once

#include <memory>
#include <string>

namespace hyscale::parallel {

/// What this machine gives to plain matrix products: every OpenMP thread multiplies 1024 × 1024 f32 matrices of its
/// own.
class GemmYardstick {
 public:
  struct Rates {  // FLOP/s of all threads together
    double ours = 0;
    double library = 0;  // 0 without one
    double best() const { return ours > library ? ours : library; }
  };

  GemmYardstick();
  ~GemmYardstick();
  /// Takes about a quarter of a second.
  Rates measure() const;
  /// "oneDNN 2.6.3", the independent judge; "" when this build has none.
  static std::string library_name();

 private:
  struct Threads;
  std::unique_ptr<Threads> threads_;
};

}  // namespace hyscale::parallel
