baton_bench(rfb_framing ROOMS rfb LIBRARIES fmt::fmt Boost::json)
