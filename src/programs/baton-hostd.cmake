baton_program(baton-hostd
    ROOMS model monitor process osimage routing hypervisor sampling handoff net hostlink screenrelay
    LIBRARIES CLI11::CLI11 fmt::fmt spdlog::spdlog Boost::json)
