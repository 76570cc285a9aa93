#pragma once

#include <string>

#include "storage/db/database.h"
#include "studies/plan.h"

namespace hyscale::scheduler {

/// What the store holds of a study of this name and of its runs, as far as planning depends on it: warm-ups that are
/// settled (as long as the spec's rule for them has not been changed), and losses of finished runs where a sweep
/// decides.
studies::Known known_of(const storage::Database& database, const studies::StudySpec& spec);

/// Plans a spec as it stands with regard to the store, which may have no database yet.
studies::Plan plan_study(const std::string& spec, const std::string& store);

}  // namespace hyscale::scheduler
