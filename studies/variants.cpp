#include "studies/variants.h"

namespace hyscale::studies {

std::string Variant::axes_text() const {
  std::string text;
  for (const auto& [path, value] : axes) text += (text.empty() ? "" : " ") + path + "=" + value;
  return text;
}

std::string Variant::model_axes_text() const {
  Variant model;
  for (const auto& axis : axes)
    if (axis.first.starts_with("model.")) model.axes.push_back(axis);
  return model.axes_text();
}

std::vector<std::string> Variant::overrides() const {
  std::vector<std::string> settings;
  if (context > 0) settings.push_back("model.context=" + std::to_string(context));
  for (const auto& [path, value] : axes) settings.push_back(path + "=" + value);
  return settings;
}

std::string Variant::model_overrides() const {
  std::string text;
  for (const std::string& setting : overrides())
    if (setting.starts_with("model.")) text += setting + "\n";
  return text;
}

std::vector<Variant> variants_of(const StudySpec& spec) {
  std::vector<Variant> variants;
  for (const int64_t context : spec.contexts) variants.push_back({.context = context});
  if (variants.empty()) variants.emplace_back();
  for (const Axis& axis : spec.axes) {
    std::vector<Variant> longer;
    for (const Variant& variant : variants)
      for (const std::string& value : axis.values) {
        longer.push_back(variant);
        longer.back().axes.emplace_back(axis.path, value);
      }
    variants = std::move(longer);
  }
  return variants;
}

}  // namespace hyscale::studies
