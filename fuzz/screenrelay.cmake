baton_fuzz(screenrelay ROOM screenrelay SOURCES net/json.cpp)
