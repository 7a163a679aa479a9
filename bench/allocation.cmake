baton_bench(allocation_cost_growth ROOMS allocation LIBRARIES fmt::fmt Boost::json)
