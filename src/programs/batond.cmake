baton_program(batond
    ROOMS
        model
        allocation
        osimage
        routing
        store
        handoff
        net
        api
    LIBRARIES CLI11::CLI11 fmt::fmt spdlog::spdlog PkgConfig::sodium Boost::json)
