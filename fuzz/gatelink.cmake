baton_fuzz(gatelink ROOM gatelink SOURCES net/json.cpp net/wire_fields.cpp)
