#pragma once

#include <algorithm>
#include <cstdint>

#include "core/base/error.h"
#include "core/tensor/tensor.h"

namespace hyscale::kernels {

/// Where documents begin when a sequence holds several: for each token the index, inside its sequence, of its
/// document's first token. Never falls; an index that is a token's own begins a document. What lies before a document
/// is nothing to it. Empty: every sequence is one document.
///
///     tokens   … b c <BOS> d e <BOS> f
///     begins     0 0 0     3 3 3     6      (a sequence that enters its first document somewhere inside)
class DocumentBegins {
 public:
  DocumentBegins() = default;
  /// Of one sequence; `all` is i32 [sequences, length] with contiguous rows, or empty.
  DocumentBegins(const Tensor& all, int64_t sequence)
      : of_token_(all.empty() ? nullptr : &all.view<const int32_t, 2>()(sequence, 0)) {}

  bool one_document() const { return of_token_ == nullptr; }
  /// First token of the document that token t belongs to.
  int64_t begin(int64_t t) const { return of_token_ == nullptr ? 0 : of_token_[t]; }
  /// Whether something ends before token t. Never so at 0: a state that is handed in belongs to the first document.
  bool starts(int64_t t) const { return of_token_ != nullptr && t > 0 && of_token_[t] == t; }

  /// Calls visit(begin, count) for the documents of a sequence of `length` tokens, front to back.
  template <class F>
  void for_each(int64_t length, F&& visit) const {
    if (one_document()) return visit(int64_t{0}, length);
    for (int64_t begin = 0, end; begin < length; begin = end) {
      for (end = begin + 1; end < length && !starts(end);) ++end;
      visit(begin, end - begin);
    }
  }

 private:
  const int32_t* of_token_ = nullptr;
};

/// Throws ShapeError unless `begins` is empty or i32 [sequences, length] with contiguous rows.
inline void check_documents(const Tensor& begins, int64_t sequences, int64_t length) {
  if (begins.empty()) return;
  expect_shape("document begins", begins, {sequences, length});
  if (begins.dtype() != DType::i32 || begins.stride(1) != 1)
    throw ShapeError("document begins need contiguous i32 rows: " + begins.describe());
}

}  // namespace hyscale::kernels
