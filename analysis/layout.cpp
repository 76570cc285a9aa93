#include "analysis/layout.h"

#include <cmath>
#include <limits>

namespace hyscale::analysis {
namespace {

std::array<bool, kSlots> free_slots(const Form& form) {
  std::array<bool, kSlots> free = {true, true, true, true, true};
  free[kLnE] = form.has_floor() && form.kind != Form::Kind::fixed_e;
  free[kSlotBeta] = form.kind != Form::Kind::kaplan;
  free[kSlotGamma] = form.uses(kGamma);
  free[kSlotDelta] = form.uses(kDelta);
  free[kSlotKappa] = form.uses(kKappa);
  free[kSlotKappa2] = form.uses(kKappa2);
  return free;
}

// Covariates describe what families have in common, so that any joint fit shares their effect, as it does exponents.
bool shared(Joint joint, size_t slot) {
  if (slot == kLnE) return joint == Joint::floor || joint == Joint::all;
  return slot >= kSlotAlpha && (joint == Joint::exponents || joint == Joint::all);
}

}  // namespace

Layout::Layout(const Form& form, Joint joint, size_t families) : place_(families) {
  const auto free = free_slots(form);
  const double floor = form.has_floor() ? std::log(form.fixed_floor) : -std::numeric_limits<double>::infinity();
  fixed_ = {floor, 0, 0, 0, 1, 1, 0, 0, 0};  // a fixed beta is Kaplan's 1
  for (size_t f = 0; f < families; ++f)
    for (size_t slot = 0; slot < kSlots; ++slot) {
      int& place = place_[f][slot];
      if (!free[slot])
        place = -1;
      else if (slot == kSlotBeta && form.kind == Form::Kind::shared_exponent)
        place = place_[f][kSlotAlpha];
      else if (f > 0 && shared(joint, slot))
        place = place_[0][slot];
      else
        place = static_cast<int>(size_++);
    }
  for (size_t slot = 5; slot < kSlots; ++slot)
    if (free[slot]) used_slots_ = slot + 1;
}

Slots Layout::slots(const Theta& theta, size_t family) const {
  Slots slots = fixed_;
  for (size_t slot = 0; slot < kSlots; ++slot)
    if (const int place = place_[family][slot]; place >= 0) slots[slot] = theta[static_cast<size_t>(place)];
  return slots;
}

Theta Layout::theta(const std::vector<Slots>& families) const {
  Theta sum(size_, 0.0), count(size_, 0.0);
  for (size_t f = 0; f < families.size(); ++f)
    for (size_t slot = 0; slot < kSlots; ++slot)
      if (const int place = place_[f][slot]; place >= 0) {
        sum[static_cast<size_t>(place)] += families[f][slot];
        count[static_cast<size_t>(place)] += 1;
      }
  for (size_t i = 0; i < size_; ++i) sum[i] /= count[i];
  return sum;
}

}  // namespace hyscale::analysis
