baton_program(baton ROOMS model LIBRARIES CLI11::CLI11 fmt::fmt Boost::json)
