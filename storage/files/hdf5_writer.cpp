#include <fmt/format.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "storage/files/checksum_table.h"
#include "storage/files/hdf5_file.h"
#include "storage/files/hdf5_handle.h"

namespace hyscale::storage {
namespace {

hid_t checked(hid_t result, const std::string& doing) {
  if (result < 0) throw IoError({.what = fmt::format("HDF5 cannot {}", doing)});
  return result;
}

}  // namespace

int64_t ArrayInfo::count() const {
  int64_t n = 1;
  for (const int64_t extent : shape) n *= extent;
  return n;
}

Hdf5Handle text_type(size_t bytes) {
  Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), std::max<size_t>(bytes, 1));
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  return type;
}

struct Hdf5Writer::State {
  Hdf5Handle link_properties;  // makes groups on the way
  Hdf5Handle file;
  std::vector<ChecksumRange> ranges;

  void dataset(const std::string& name, hid_t type, const std::vector<int64_t>& shape, size_t bytes, const void* data) {
    const std::vector<hsize_t> extents(shape.begin(), shape.end());
    const Hdf5Handle space(extents.empty()
                               ? H5Screate(H5S_SCALAR)
                               : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                           H5Sclose);
    const Hdf5Handle set(
        H5Dcreate2(file.get(), name.c_str(), type, space.get(), link_properties.get(), H5P_DEFAULT, H5P_DEFAULT),
        H5Dclose);
    checked(set.get(), "make array " + name);
    if (bytes == 0) return;
    checked(H5Dwrite(set.get(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), "write array " + name);
    ranges.push_back({name, H5Dget_offset(set.get()), bytes});
  }
};

Hdf5Writer::Hdf5Writer(size_t expected_bytes) : state_(std::make_unique<State>()) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  state_->link_properties = Hdf5Handle(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(state_->link_properties.get(), 1);
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  constexpr size_t kLeastGrowth = 1 << 16;
  H5Pset_fapl_core(access.get(), std::max(expected_bytes, kLeastGrowth), false);
  state_->file = Hdf5Handle(H5Fcreate("image in memory", H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose);
  checked(state_->file.get(), "make a file image in memory");
}
Hdf5Writer::~Hdf5Writer() = default;

void Hdf5Writer::attribute(const std::string& name, const std::string& value) {
  const Hdf5Handle type = text_type(value.size()), space(H5Screate(H5S_SCALAR), H5Sclose);
  const Hdf5Handle made(H5Acreate2(state_->file.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT),
                        H5Aclose);
  checked(made.get(), "make attribute " + name);
  checked(H5Awrite(made.get(), type.get(), value.c_str()), "write attribute " + name);
}

void Hdf5Writer::text(const std::string& name, const std::string& value) {
  const Hdf5Handle type = text_type(value.size());
  state_->dataset(name, type.get(), {}, std::max<size_t>(value.size(), 1), value.c_str());
}
void Hdf5Writer::array(const std::string& name, const std::vector<int64_t>& shape, std::span<const float> values) {
  state_->dataset(name, H5T_IEEE_F32LE, shape, values.size_bytes(), values.data());
}
void Hdf5Writer::array(const std::string& name, const std::vector<int64_t>& shape, std::span<const double> values) {
  state_->dataset(name, H5T_IEEE_F64LE, shape, values.size_bytes(), values.data());
}
void Hdf5Writer::array(const std::string& name, const std::vector<int64_t>& shape, std::span<const int64_t> values) {
  state_->dataset(name, H5T_STD_I64LE, shape, values.size_bytes(), values.data());
}

void Hdf5Writer::save(const std::string& path) {
  checked(H5Fflush(state_->file.get(), H5F_SCOPE_GLOBAL), "finish the image of " + path);
  const ssize_t bytes = H5Fget_file_image(state_->file.get(), nullptr, 0);
  checked(bytes, "measure the image of " + path);
  std::string image(static_cast<size_t>(bytes), '\0');
  checked(H5Fget_file_image(state_->file.get(), image.data(), image.size()), "take the image of " + path);
  image += make_checksum_table(image, state_->ranges);
  const std::string temporary = temporary_name(path);
  write_synced_file(temporary, image);
  try {
    const MappedFile back(temporary);
    verify_checksum_table(temporary, {reinterpret_cast<const char*>(back.bytes().data()), back.bytes().size()});
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  commit_file(temporary, path);
}

}  // namespace hyscale::storage
