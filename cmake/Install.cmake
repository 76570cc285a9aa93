# What `cmake --install` and `cpack` put together: programs, their manuals and shell completions, documentation, and the
# specs, reference data and corpus scripts that the documentation names. Nothing refers to the build or the source tree:
# an installed tree may be moved, a tarball unpacked anywhere (where Arrow's libraries lie in the same place, if used).
include(GNUInstallDirs)
set(CMAKE_INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}" ${HYSCALE_PARQUET_RPATH})
set(HYSCALE_DATADIR ${CMAKE_INSTALL_DATADIR}/hyscale)

# hyscale_install_program(NAME): the program, and what it prints of its own command line.
function(hyscale_install_program name)
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(CODE "
    function(keep_what_it_prints destination)
      set(file \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/\${destination}\")
      get_filename_component(folder \"\${file}\" DIRECTORY)
      file(MAKE_DIRECTORY \"\${folder}\")
      message(STATUS \"Installing: \${file}\")
      execute_process(COMMAND \"$<TARGET_FILE:${name}>\" \${ARGN} OUTPUT_FILE \"\${file}\" COMMAND_ERROR_IS_FATAL ANY)
    endfunction()
    keep_what_it_prints(${CMAKE_INSTALL_MANDIR}/man1/${name}.1 manual)
    keep_what_it_prints(${CMAKE_INSTALL_DATADIR}/bash-completion/completions/${name} completion bash)
    keep_what_it_prints(${CMAKE_INSTALL_DATADIR}/zsh/site-functions/_${name} completion zsh)
    keep_what_it_prints(${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d/${name}.fish completion fish)")
endfunction()

install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/packages.txt
        DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/hyscale)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/hyscale)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/studies/specs ${PROJECT_SOURCE_DIR}/studies/paper ${PROJECT_SOURCE_DIR}/studies/reference DESTINATION ${HYSCALE_DATADIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/studies/corpora DESTINATION ${HYSCALE_DATADIR} USE_SOURCE_PERMISSIONS)

set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_VENDOR "Hyscale")
set(CPACK_PACKAGE_FILE_NAME "hyscale-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}")
set(CPACK_PACKAGE_NAME hyscale)
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
include(CPack)
