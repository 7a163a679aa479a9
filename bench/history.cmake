baton_bench(history_ingest ROOMS history LIBRARIES fmt::fmt Boost::json)
