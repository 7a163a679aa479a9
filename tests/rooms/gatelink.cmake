baton_test(gatelink_test KIND unit ROOMS gatelink LIBRARIES rapidcheck Boost::json)
