#pragma once

#include "tests/spec/paper_tables.h"

namespace hyscale::tests {

/// The model of a row of intra_variants.csv: the shipped configs of Llama and Mamba, else a stack of hybrid blocks with
/// the row's module (T/M: Mamba first), norm, scalar, fusion, value and output. Widths are those that give the printed
/// parameters (Tables 18 and 20): queries 1152 and Mamba 2304 at 1B, 896 and 1792 at 350M, half of d_model and d_model
/// where the output is joint and nothing is concatenated; each branch of T/T and M/M has half of a plain block.
spec::ModelConfig variant_model(const PaperRow& row);

}  // namespace hyscale::tests
