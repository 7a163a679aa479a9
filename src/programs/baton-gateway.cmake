baton_program(baton-gateway
    ROOMS model handoff net rfb gateway gatelink
    LIBRARIES CLI11::CLI11 fmt::fmt spdlog::spdlog Boost::json)
