baton_program(baton-play-desktop ROOMS model desk player screen LIBRARIES CLI11::CLI11 fmt::fmt)
# the command line is baton-play's, which becomes this program for a graphical session
target_sources(baton-play-desktop PRIVATE "${CMAKE_SOURCE_DIR}/src/programs/baton_play/play.cpp")
