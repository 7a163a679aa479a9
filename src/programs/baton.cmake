# one room a line, in the order of src/arrows.txt
baton_program(baton
    ROOMS
        model
        allocation
        desk
        osimage
        netboot
        net
        deskserver
        process
        history
        chart
        player
    LIBRARIES CLI11::CLI11 fmt::fmt Boost::json baton_top_command)

# recipes are found beside the programs: bin/../share/baton/recipes, in the build folder as where it is installed
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/share/baton")
file(CREATE_LINK "${CMAKE_SOURCE_DIR}/src/osimage/recipes" "${CMAKE_BINARY_DIR}/share/baton/recipes" SYMBOLIC)
install(DIRECTORY "${CMAKE_SOURCE_DIR}/src/osimage/recipes" DESTINATION share/baton USE_SOURCE_PERMISSIONS)
# and so is the recipe of the client image
file(CREATE_LINK "${CMAKE_SOURCE_DIR}/src/netboot/client" "${CMAKE_BINARY_DIR}/share/baton/client" SYMBOLIC)
install(DIRECTORY "${CMAKE_SOURCE_DIR}/src/netboot/client" DESTINATION share/baton USE_SOURCE_PERMISSIONS)
install(FILES "${CMAKE_SOURCE_DIR}/packaging/completion/baton.bash" DESTINATION share/bash-completion/completions
    RENAME baton)
install(FILES "${CMAKE_SOURCE_DIR}/packaging/completion/baton-play.bash" DESTINATION share/bash-completion/completions
    RENAME baton-play)
