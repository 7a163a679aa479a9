baton_fuzz(gatelink ROOM gatelink SOURCES net/join_token.cpp net/json.cpp)
