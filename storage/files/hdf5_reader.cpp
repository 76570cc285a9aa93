#include <algorithm>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "storage/files/checksum_table.h"
#include "storage/files/hdf5_file.h"
#include "storage/files/hdf5_handle.h"

namespace hyscale::storage {
namespace {

ElementType element_type(hid_t type) {
  if (H5Tget_class(type) == H5T_STRING) return ElementType::text;
  if (H5Tget_class(type) == H5T_INTEGER) return ElementType::i64;
  return H5Tget_size(type) == sizeof(float) ? ElementType::f32 : ElementType::f64;
}

hid_t memory_type(ElementType type) {
  if (type == ElementType::f32) return H5T_NATIVE_FLOAT;
  return type == ElementType::f64 ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64;
}

/// HDF5 calls this for each object; `target` is the list that grows.
herr_t visit(hid_t file, const char* name, const H5O_info_t* info, void* target) {
  if (info->type != H5O_TYPE_DATASET) return 0;
  const Hdf5Handle set(H5Dopen2(file, name, H5P_DEFAULT), H5Dclose);
  const Hdf5Handle type(H5Dget_type(set.get()), H5Tclose), space(H5Dget_space(set.get()), H5Sclose);
  std::vector<hsize_t> extents(static_cast<size_t>(std::max(0, H5Sget_simple_extent_ndims(space.get()))));
  H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr);
  static_cast<std::vector<ArrayInfo>*>(target)->push_back(
      {std::string("/") + name, element_type(type.get()), {extents.begin(), extents.end()}});
  return 0;
}

herr_t collect_name(hid_t, const char* name, const H5A_info_t*, void* target) {
  static_cast<std::vector<std::string>*>(target)->emplace_back(name);
  return 0;
}

/// HDF5 pads text with zeros, and an empty text is one zero.
std::string without_padding(std::string text) {
  text.resize(std::min(text.size(), text.find_last_not_of('\0') + 1));
  return text;
}

}  // namespace

struct Hdf5Reader::State {
  std::string path;
  Hdf5Handle file;
  std::vector<ArrayInfo> arrays;

  [[noreturn]] void damaged(const std::string& what) const {
    throw DamagedFile({.what = fmt::format("{} is damaged: {}", path, what)});
  }
};

Hdf5Reader::Hdf5Reader(const std::string& path) : state_(std::make_unique<State>()) {
  state_->path = path;
  {
    const MappedFile file(path);
    verify_checksum_table(path, {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()});
  }
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_file_locking(access.get(), false, true);  // files never change once renamed; some file systems have no locks
  state_->file = Hdf5Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  if (state_->file.get() < 0) state_->damaged("HDF5 cannot open it");
  if (H5Ovisit2(state_->file.get(), H5_INDEX_NAME, H5_ITER_INC, visit, &state_->arrays, H5O_INFO_BASIC) < 0)
    state_->damaged("HDF5 cannot list it");
}
Hdf5Reader::~Hdf5Reader() = default;

const std::vector<ArrayInfo>& Hdf5Reader::arrays() const { return state_->arrays; }
bool Hdf5Reader::has(const std::string& name) const {
  return std::any_of(arrays().begin(), arrays().end(), [&](const ArrayInfo& a) { return a.name == name; });
}
const ArrayInfo& Hdf5Reader::info(const std::string& name) const {
  for (const ArrayInfo& array : arrays())
    if (array.name == name) return array;
  state_->damaged("it has no array " + name);
}

std::vector<std::string> Hdf5Reader::attribute_names() const {
  std::vector<std::string> names;
  H5Aiterate2(state_->file.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_name, &names);
  return names;
}

std::string Hdf5Reader::attribute(const std::string& name) const {
  if (H5Aexists(state_->file.get(), name.c_str()) <= 0) state_->damaged("it has no attribute " + name);
  const Hdf5Handle made(H5Aopen(state_->file.get(), name.c_str(), H5P_DEFAULT), H5Aclose);
  const Hdf5Handle type(H5Aget_type(made.get()), H5Tclose);
  std::string value(H5Tget_size(type.get()), '\0');
  if (H5Aread(made.get(), type.get(), value.data()) < 0) state_->damaged("attribute " + name + " cannot be read");
  return without_padding(std::move(value));
}

std::string Hdf5Reader::text(const std::string& name) const {
  if (info(name).type != ElementType::text) state_->damaged(name + " is no text");
  const Hdf5Handle set(H5Dopen2(state_->file.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
  const Hdf5Handle type(H5Dget_type(set.get()), H5Tclose);
  std::string value(H5Tget_size(type.get()), '\0');
  if (H5Dread(set.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, value.data()) < 0)
    state_->damaged(name + " cannot be read");
  return without_padding(std::move(value));
}

void Hdf5Reader::read_as(const std::string& name, ElementType type, size_t count, void* out) const {
  const ArrayInfo& array = info(name);
  if (array.type != type || array.count() != static_cast<int64_t>(count))
    state_->damaged(
        fmt::format("{} holds {} values, or of another type, where {} are wanted", name, array.count(), count));
  if (count == 0) return;
  const Hdf5Handle set(H5Dopen2(state_->file.get(), name.c_str(), H5P_DEFAULT), H5Dclose);
  if (H5Dread(set.get(), memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
    state_->damaged(name + " cannot be read");
}
void Hdf5Reader::read(const std::string& name, std::span<float> out) const {
  read_as(name, ElementType::f32, out.size(), out.data());
}
void Hdf5Reader::read(const std::string& name, std::span<double> out) const {
  read_as(name, ElementType::f64, out.size(), out.data());
}
void Hdf5Reader::read(const std::string& name, std::span<int64_t> out) const {
  read_as(name, ElementType::i64, out.size(), out.data());
}

}  // namespace hyscale::storage
