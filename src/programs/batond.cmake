baton_program(batond
    ROOMS
        model
        process
        allocation
        osimage
        netboot
        desk
        routing
        store
        history
        monitor
        handoff
        net
        deskserver
        hostlink gatelink
        api
    LIBRARIES CLI11::CLI11 fmt::fmt spdlog::spdlog PkgConfig::sodium Boost::json)
