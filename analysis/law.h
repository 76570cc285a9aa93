#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "analysis/points.h"

namespace hyscale::analysis {

/// The numbers of a law in the order of LawNumbers.
enum LawNumber : size_t { kE, kA, kB, kAlpha, kBeta, kSizeExponent, kTokenExponent, kGamma, kDelta, kKappa, kKappa2 };
using LawNumbers = std::array<double, 11>;
inline constexpr std::array<const char*, 11> kLawNames = {"E", "A",     "B",     "alpha", "beta",  "a",
                                                          "b", "gamma", "delta", "kappa", "kappa2"};
inline constexpr size_t kCommonNumbers = 7;  // those that every form has

/// L = E + exp(kappa z) (A / N^alpha + B / (N^delta D^beta))^gamma, in nats per token. With gamma 1, delta 0 and no
/// covariate z this is approach 3 of Hoffmann et al. 2022; see Form for the others.
struct ScalingLaw {
  double e = 0, a = 0, b = 0;  // E, A, B
  double alpha = 0, beta = 0;
  double gamma = 1, delta = 0;
  std::array<double, 2> kappa = {};
  double loss(double n, double d, const std::array<double, 2>& covariates = {}) const;
  double loss(const Point& point) const { return loss(point.n, point.d, point.covariates); }
  double size_exponent() const { return beta / (alpha + beta); }    // N* ~ C^a
  double token_exponent() const { return alpha / (alpha + beta); }  // D* ~ C^b, both under C ~ N D
  LawNumbers numbers() const;
};

/// Which of the law's numbers are free.
struct Form {
  enum class Kind {
    chinchilla,       // E, A, B, alpha, beta
    fixed_e,          // E given
    shared_exponent,  // alpha = beta, as where loss falls alike with N and D at every D / N
    interaction,      // gamma free: (A / N^alpha + B / D^beta)^gamma
    kaplan,           // (A / N^alpha + B / D)^gamma without E
    overtraining,     // delta free: E + A / N^alpha + B / (N^delta D^beta); N^-(delta + beta) (D / N)^-beta
    covariates        // the reducible loss times exp(kappa z)
  } kind = Kind::chinchilla;
  double fixed_floor = kMissing;             // of fixed_e
  std::vector<std::string> covariates = {};  // columns behind z, at most two

  bool has_floor() const { return kind != Kind::kaplan; }
  /// Free numbers of one family.
  size_t parameters() const;
  bool uses(LawNumber number) const;  // gamma, delta, kappa: is it part of this form?
};
const char* name_of(Form::Kind kind);  // "shared-exponent"
/// The form as people write it: "L = E + A/N^alpha + B/D^beta".
std::string formula(const Form& form);

/// Which numbers the families of one fit share.
enum class Joint { none, floor, exponents, all };
const char* name_of(Joint joint);  // "none", "E", "exponents", "all"

/// What is summed over the points: Huber_delta(ln predicted - ln measured), or the squares of predicted - measured.
struct FitLoss {
  enum class Kind { huber, l2 } kind = Kind::huber;
  double delta = 1e-3;  // of huber
};
const char* name_of(FitLoss::Kind kind);  // "huber"

}  // namespace hyscale::analysis
