baton_program(baton-view
    ROOMS model rfb picture viewer
    LIBRARIES CLI11::CLI11 fmt::fmt spdlog::spdlog Boost::json)
