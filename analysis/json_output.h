#pragma once

#include <nlohmann/json_fwd.hpp>

#include "analysis/compare.h"
#include "analysis/envelope.h"
#include "analysis/holdout.h"
#include "analysis/isoflop.h"
#include "analysis/joint_fit.h"
#include "analysis/law_fit.h"
#include "analysis/points.h"

namespace hyscale::analysis {

/// Machine-readable forms in full precision. A missing number is null; an interval's open end is null and named in its
/// "open" list, an interval that is not available is null.
nlohmann::json to_json(const Interval& interval);
nlohmann::json to_json(const PointSet& set);
nlohmann::json to_json(const FamilyFit& fit);
nlohmann::json to_json(const FamilyIsoFlop& family);
nlohmann::json to_json(const LikelihoodRatio& ratio);
nlohmann::json to_json(const Foretold& foretold);
nlohmann::json to_json(const FamilyPair& pair);
nlohmann::json to_json(const Envelope& envelope);
nlohmann::json number_or_null(double value);

/// What the families of a joint fit share, and what sharing costs.
void add_shared(nlohmann::json& out, const JointFit& fit);

template <class T>
nlohmann::json list_to_json(const std::vector<T>& items);

/// The families' objects by name under "families"; the only one's fields in `out` itself where no column names them.
/// `out` gets the warnings of the points too.
template <class T>
void add_families(nlohmann::json& out, const PointSet& set, const std::vector<T>& items);

}  // namespace hyscale::analysis
