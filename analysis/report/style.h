#pragma once

namespace hyscale::analysis {

extern const char* const kStyle;   // CSS of the report: light, dark, print; desktop and phone
extern const char* const kScript;  // sorts tables by their headings

}  // namespace hyscale::analysis
