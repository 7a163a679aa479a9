baton_program(baton-hostd
    ROOMS model process osimage routing hypervisor handoff net hostlink
    LIBRARIES CLI11::CLI11 fmt::fmt spdlog::spdlog Boost::json)
