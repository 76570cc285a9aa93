# What the CUDA back end needs beside nvcc: cuBLASLt, and for attention cuDNN (9.19 or later) with the headers of
# cudnn-frontend. Without those two, attention runs on our own kernel, correct and slower.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION) # CMake 3.25 does not know how to ask nvcc for it
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
find_package(CUDAToolkit 12.8 REQUIRED)
if(CCACHE)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

# A PyTorch installation's own cuDNN is often newer than the toolkit's: name its folder in HYSCALE_CUDNN_ROOT.
set(HYSCALE_CUDNN_ROOT "" CACHE PATH "Where cuDNN lies (include/cudnn.h, lib/libcudnn.so.9), if not beside the CUDA toolkit")
find_path(CUDNN_INCLUDE_DIR cudnn.h HINTS ${HYSCALE_CUDNN_ROOT}/include ${CUDAToolkit_INCLUDE_DIRS})
find_library(CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 HINTS ${HYSCALE_CUDNN_ROOT}/lib ${CUDAToolkit_LIBRARY_DIR})
find_path(CUDNN_FRONTEND_INCLUDE_DIR cudnn_frontend.h
  HINTS ${HYSCALE_CUDNN_FRONTEND_ROOT}/include ${PROJECT_SOURCE_DIR}/build/cudnn-frontend/include
  DOC "Headers of cudnn-frontend (PyPI: nvidia-cudnn-frontend)")
add_library(hyscale_cudnn INTERFACE)
add_library(Hyscale::cudnn ALIAS hyscale_cudnn)
if(CUDNN_INCLUDE_DIR AND CUDNN_LIBRARY AND CUDNN_FRONTEND_INCLUDE_DIR AND TARGET CUDA::nvrtc) # the headers call nvrtc
  set(HYSCALE_CUDNN TRUE)
  target_include_directories(hyscale_cudnn SYSTEM INTERFACE ${CUDNN_INCLUDE_DIR} ${CUDNN_FRONTEND_INCLUDE_DIR})
  target_link_libraries(hyscale_cudnn INTERFACE ${CUDNN_LIBRARY} CUDA::nvrtc)
else()
  set(HYSCALE_CUDNN FALSE)
  message(STATUS "Attention will run on Hyscale's own kernel, which is slower than cuDNN's: "
    "cuDNN (${CUDNN_LIBRARY}) or the headers of cudnn-frontend (${CUDNN_FRONTEND_INCLUDE_DIR}) are not here; "
    "tools/get-cudnn-frontend fetches the headers")
endif()
