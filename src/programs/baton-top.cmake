# `baton top`: what the other commands of `baton` do without is linked here alone
find_library(BATON_NCURSES ncursesw REQUIRED)
find_library(BATON_TINFO tinfo REQUIRED)
add_library(baton_top_command STATIC
    "${CMAKE_SOURCE_DIR}/src/programs/baton_top/top.cpp"
    "${CMAKE_SOURCE_DIR}/src/programs/baton_top/top_screen.cpp")
target_link_libraries(baton_top_command PRIVATE baton_monitor baton_sampling baton_net CLI11::CLI11 fmt::fmt Boost::json
    ${BATON_NCURSES} ${BATON_TINFO} baton_warnings)
target_compile_options(baton_top_command PRIVATE -O1)
