#pragma once

#include "core/data/bpe_tokenizer.h"
#include "core/data/load_tokenizer.h"

namespace hyscale::data {

/// Sets BOS and EOS in `parts`: what the options name; else `bos` and `eos` as the file names them ("": it does not);
/// else added tokens that are known to begin and end documents. A file with only one of the two uses it for both.
void set_frame(BpeParts& parts, const LoadOptions& options, std::string bos, std::string eos, const std::string& path);

}  // namespace hyscale::data
