# Run at build time (cmake -P): writes version.cpp, touching it only when the commit or the flags changed.
execute_process(COMMAND git rev-parse --short=12 HEAD WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_VARIABLE HYSCALE_COMMIT
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  set(HYSCALE_COMMIT "unknown")
else()
  execute_process(COMMAND git diff HEAD WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_VARIABLE diff ERROR_QUIET)
  if(diff)
    string(SHA256 digest "${diff}")
    string(SUBSTRING ${digest} 0 8 digest)
    string(APPEND HYSCALE_COMMIT "+${digest}")
  endif()
endif()
configure_file(${SOURCE_DIR}/cmake/version.cpp.in ${OUTPUT} @ONLY)
