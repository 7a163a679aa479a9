baton_bench(desk_lease_move ROOMS deskserver LIBRARIES fmt::fmt Boost::json)
