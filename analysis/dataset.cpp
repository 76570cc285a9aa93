#include "analysis/dataset.h"

#include "core/base/files.h"
#include "core/base/hash.h"

namespace hyscale::analysis {

Dataset dataset_from_points(PointSet set) {
  Dataset data;
  for (const Point& point : set.points)
    data.runs.push_back({.family = point.family,
                         .size = point.size,
                         .state = "done",
                         .run = point.run,
                         .cluster = point.cluster,
                         .budget = point.budget,
                         .n = point.n,
                         .d = point.d,
                         .c = point.c,
                         .loss = point.loss,
                         .standard_error = point.standard_error});
  data.provenance.emplace_back("source", set.source);
  data.provenance.emplace_back("SHA-256 of the source", sha256_hex_of_file(set.source));
  data.set = std::move(set);
  return data;
}

}  // namespace hyscale::analysis
