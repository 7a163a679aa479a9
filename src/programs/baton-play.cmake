baton_program(baton-play ROOMS model desk player LIBRARIES CLI11::CLI11 fmt::fmt)
