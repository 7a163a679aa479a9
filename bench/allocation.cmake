baton_bench(allocation_cost_growth ROOMS allocation process LIBRARIES fmt::fmt Boost::json)
