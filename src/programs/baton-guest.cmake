# Runs inside foreign systems, so it is linked statically, with the few sources of the rooms that it needs; sanitizers,
# which cannot be, are left out of it.
find_library(BATON_STATIC_BOOST_JSON libboost_json.a REQUIRED)
foreach(library xcb Xau Xdmcp)
    find_library(BATON_STATIC_${library} lib${library}.a REQUIRED)
    list(APPEND baton_guest_x "${BATON_STATIC_${library}}")
endforeach()
file(GLOB baton_guest_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/guest/*.cpp"
    "${CMAKE_SOURCE_DIR}/src/programs/baton_guest/*.cpp")
add_executable(baton-guest "${CMAKE_SOURCE_DIR}/src/programs/baton_guest.cpp" ${baton_guest_sources}
    "${CMAKE_SOURCE_DIR}/src/model/error.cpp" "${CMAKE_SOURCE_DIR}/src/model/size.cpp")
target_include_directories(baton-guest PRIVATE "${CMAKE_SOURCE_DIR}/src")
target_compile_definitions(baton-guest PRIVATE FMT_HEADER_ONLY)
target_compile_options(baton-guest PRIVATE ${BATON_OPTIMIZATION_program})
# GNU ld warns of every function of libc that may load a shared library; mold does not know the option
target_link_options(baton-guest PRIVATE -static -s $<$<NOT:$<BOOL:${MOLD}>>:-Wl,--no-warnings>)
if(BATON_SANITIZE) # "address,undefined" has a comma: no generator expression takes it
    target_compile_options(baton-guest PRIVATE -fno-sanitize=all)
    target_link_options(baton-guest PRIVATE -fno-sanitize=all)
endif()
target_link_libraries(baton-guest PRIVATE tl::expected Boost::headers "${BATON_STATIC_BOOST_JSON}"
    ${baton_guest_x} baton_warnings)
install(TARGETS baton-guest RUNTIME DESTINATION bin)
