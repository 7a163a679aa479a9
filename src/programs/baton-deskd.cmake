baton_program(baton-deskd ROOMS model desk net deskserver LIBRARIES CLI11::CLI11 fmt::fmt spdlog::spdlog)
