#pragma once

#include "core/data/prepare.h"

namespace hyscale::data {

/// Whether the inputs are token ids (token_file.h) and not text. Throws ConfigError when they are some of both.
bool is_import(const PrepareOptions& options);

/// A corpus of ids that are there already. The files stay where they are and the corpus refers to them (path, size,
/// time, hash); with `options.copy` it gets its own. Every id is checked against the vocabulary. Documents are those of
/// the format, else they end with EOS, else (when no EOS occurs) begin with BOS. Validation: the files that are named
/// for it, else the last documents, else (when there is only one) the last tokens.
/// Throws ConfigError with everything that is wrong in any of the files; IoError.
PreparedCorpus import_tokens(const PrepareOptions& options, const ReportProgress& progress);

}  // namespace hyscale::data
