baton_program(baton-play ROOMS model desk player LIBRARIES CLI11::CLI11 fmt::fmt)
# what it becomes for a graphical session is beside it
add_dependencies(baton-play baton-play-desktop)
