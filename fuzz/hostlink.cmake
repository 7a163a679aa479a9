baton_fuzz(hostlink ROOM hostlink SOURCES net/join_token.cpp net/json.cpp net/wire_fields.cpp)
