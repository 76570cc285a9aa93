#pragma once

#include "analysis/law.h"

namespace hyscale::analysis {

/// The numbers that one family's law is made from inside a fit: logarithms of E and of the two terms at the data's
/// geometric centre (which takes the condition number down by orders of magnitude), then the exponents.
enum Slot : size_t { kLnE, kLnA, kLnB, kSlotAlpha, kSlotBeta, kSlotGamma, kSlotDelta, kSlotKappa, kSlotKappa2 };
inline constexpr size_t kSlots = 9;
using Slots = std::array<double, kSlots>;
using Theta = std::vector<double>;  // a fit's free parameters, of all its families

/// Where each family's slots stand in Theta: what a form fixes has no place, what families share has one.
class Layout {
 public:
  Layout(const Form& form, Joint joint, size_t families);

  size_t size() const { return size_; }
  size_t families() const { return place_.size(); }
  /// Slots from this one on are fixed and neutral: what loops need not look at.
  size_t used_slots() const { return used_slots_; }
  int place(size_t family, size_t slot) const { return place_[family][slot]; }  // -1: fixed
  Slots slots(const Theta& theta, size_t family) const;
  /// Shared numbers become the mean over the families.
  Theta theta(const std::vector<Slots>& families) const;

 private:
  std::vector<std::array<int, kSlots>> place_;
  Slots fixed_;
  size_t size_ = 0, used_slots_ = 5;
};

}  // namespace hyscale::analysis
