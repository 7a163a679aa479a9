baton_program(baton-helper ROOMS routing LIBRARIES CLI11::CLI11 fmt::fmt)
