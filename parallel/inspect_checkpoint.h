#pragma once

#include <string>

namespace hyscale::parallel {

/// Whether the file looks like one of HDF5, as checkpoints do.
bool is_hdf5(const std::string& path);

/// What a checkpoint holds: run, step, tokens, notes and every tensor with its shape; as text or as JSON. Its checksums
/// are compared first. Throws DamagedFile.
std::string checkpoint_text(const std::string& path);
std::string checkpoint_json(const std::string& path);

}  // namespace hyscale::parallel
