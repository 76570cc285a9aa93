# How every Hyscale target is made: one warnings target, one include root, file sets that must compile alone.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  # base_dir makes hits possible between clones of the same sources
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

add_library(hyscale_warnings INTERFACE)
add_library(Hyscale::warnings ALIAS hyscale_warnings)
target_compile_options(hyscale_warnings INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wshadow;-Wconversion;-Wmissing-declarations;-Werror>"
  "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra;-Werror=all-warnings;--expt-relaxed-constexpr;-lineinfo>")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(hyscale_warnings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>) # g++ 12 cries wolf at "text" + std::string when optimising
endif()

add_library(hyscale_settings INTERFACE)
add_library(Hyscale::settings ALIAS hyscale_settings)
target_include_directories(hyscale_settings INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_features(hyscale_settings INTERFACE cxx_std_20)
if(HYSCALE_ASSERTS)
  target_compile_options(hyscale_settings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-UNDEBUG>)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_options(hyscale_settings INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-g1>) # line tables: small objects, useful traces
endif()
if(HYSCALE_SANITIZE)
  target_compile_options(hyscale_settings INTERFACE -fsanitize=${HYSCALE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(hyscale_settings INTERFACE -fsanitize=${HYSCALE_SANITIZE})
endif()

# The release and asan presets compile the sources of a target as a few big ones (CMAKE_UNITY_BUILD): the headers of the JSON and
# command-line libraries cost 5 to 10 s wherever they are read. NO_UNITY keeps a target's files apart, where they are
# heavy themselves and each has constants and helpers of its own.
# SHARED: what the kernels need, which are shared so that the loader can pick the copy for this CPU (core/kernels).
# hyscale_library(NAME [NO_UNITY] [SHARED] [SUBFOLDER of the installed library] SOURCES a.cpp … LINK Hyscale::base … [PRIVATE_LINK lib …])
function(hyscale_library name)
  cmake_parse_arguments(ARG "NO_UNITY;SHARED" "SUBFOLDER" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  if(ARG_SHARED)
    add_library(hyscale_${name} SHARED ${ARG_SOURCES})
    install(TARGETS hyscale_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/${ARG_SUBFOLDER})
    # The library folder, also from a subfolder of it: the loader reads the RUNPATH of the very file that needs another.
    file(RELATIVE_PATH up "/${ARG_SUBFOLDER}" /)
    set_target_properties(hyscale_${name} PROPERTIES INSTALL_RPATH "$ORIGIN/${up}")
  else()
    add_library(hyscale_${name} STATIC ${ARG_SOURCES})
  endif()
  add_library(Hyscale::${name} ALIAS hyscale_${name})
  target_link_libraries(hyscale_${name} PUBLIC Hyscale::settings ${ARG_LINK} PRIVATE Hyscale::warnings ${ARG_PRIVATE_LINK})
  if(ARG_NO_UNITY)
    set_target_properties(hyscale_${name} PROPERTIES UNITY_BUILD OFF)
  endif()
endfunction()

# hyscale_program(NAME SOURCES a.cpp … LINK …)
function(hyscale_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES UNITY_BUILD ON) # every command reads the command-line library: 5 to 10 s each
  target_link_libraries(${name} PRIVATE Hyscale::settings Hyscale::warnings ${ARG_LINK})
  hyscale_install_program(${name})
endfunction()

# What `ctest -L unit` needs: these tests call no program, so that sanitizer builds can leave the programs out.
add_custom_target(unit_tests)

# hyscale_test(NAME SOURCES a_test.cpp … LINK Hyscale::… [LABELS slow …] [TIMEOUT seconds]): one GoogleTest executable;
# ctest sees one test per executable ("unit" label unless LABELS says otherwise).
function(hyscale_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE Hyscale::settings Hyscale::warnings ${ARG_LINK} GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests UNITY_BUILD OFF)
  if(HYSCALE_SANITIZE MATCHES "address")
    target_compile_options(${name} PRIVATE -fno-sanitize=all) # what is tested is watched; tests alone would take longest to compile
  endif()
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
    add_dependencies(unit_tests ${name})
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set(test_threads 2)
  if(HYSCALE_SANITIZE STREQUAL "thread")
    set(test_threads 1) # the OpenMP runtime is not instrumented: its barriers would be reported as races
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT} RESOURCE_LOCK cores
    ENVIRONMENT "HYSCALE_SOURCE_DIR=${PROJECT_SOURCE_DIR};HYSCALE_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};OMP_NUM_THREADS=${test_threads};OMP_WAIT_POLICY=passive")
endfunction()
