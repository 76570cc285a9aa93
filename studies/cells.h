#pragma once

#include "studies/families/family.h"
#include "studies/plan.h"

namespace hyscale::studies {

/// Adds every cell of one family at one size to the plan: seeds × learning rates × budgets, each kept with its schedule
/// and role or rejected with the reason.
void add_cells(Plan& plan, const FamilySpec& family, const SizeSpec& size, const spec::RunFile& base,
               const FittedModel& fit);

/// Three significant digits: an id must not hang on the last bit of a power.
double rounded_rate(double rate);

}  // namespace hyscale::studies
