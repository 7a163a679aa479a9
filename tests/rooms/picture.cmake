# the tests' own decoder is the second opinion
baton_test(picture_test KIND unit ROOMS picture LIBRARIES rapidcheck ZLIB::ZLIB PNG::PNG PkgConfig::turbojpeg)
target_sources(picture_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/rfb_decoder.cpp")
