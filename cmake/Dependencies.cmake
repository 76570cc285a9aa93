# Every outside library, found in one place. Each comes from packages.txt.
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(ZLIB REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
set(HDF5_PREFER_PARALLEL OFF)
find_package(HDF5 REQUIRED COMPONENTS C)

add_library(hyscale_hdf5 INTERFACE)
add_library(Hyscale::hdf5 ALIAS hyscale_hdf5)
target_include_directories(hyscale_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(hyscale_hdf5 INTERFACE ${HDF5_C_LIBRARIES})

if(TARGET yaml-cpp::yaml-cpp)
  add_library(Hyscale::yaml ALIAS yaml-cpp::yaml-cpp)
else() # yaml-cpp 0.7 exports a plain target
  add_library(hyscale_yaml INTERFACE)
  add_library(Hyscale::yaml ALIAS hyscale_yaml)
  target_link_libraries(hyscale_yaml INTERFACE yaml-cpp)
endif()

if(HYSCALE_WORKER)
  find_package(MPI REQUIRED COMPONENTS C)
  pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
  pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)
  # the trainer library has no pkg-config file
  find_library(SENTENCEPIECE_TRAIN_LIBRARY sentencepiece_train REQUIRED)
  # tokenizers: regular expressions and Unicode normalisation
  pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
  pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
  # oneDNN only judges our own matrix products in benchmarks. find_package(dnnl) also wants OpenCL headers, the library
  # alone does not.
  find_library(DNNL_LIBRARY dnnl)
  find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.hpp)
  add_library(hyscale_onednn INTERFACE)
  if(DNNL_LIBRARY AND DNNL_INCLUDE_DIR)
    target_include_directories(hyscale_onednn SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
    target_link_libraries(hyscale_onednn INTERFACE ${DNNL_LIBRARY})
    target_compile_definitions(hyscale_onednn INTERFACE HYSCALE_ONEDNN)
  else()
    message(STATUS "oneDNN is not here: bench train compares with our own matrix products alone")
  endif()
  include(Parquet)
endif()

if(HYSCALE_CUDA)
  include(Cuda)
endif()

if(HYSCALE_STUDY)
  pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
  find_package(SQLiteCpp REQUIRED)
  find_package(Ceres REQUIRED)
  find_package(GSL REQUIRED)
endif()

if(HYSCALE_TESTS)
  find_package(GTest REQUIRED)
endif()
