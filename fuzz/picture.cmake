baton_fuzz(picture ROOM picture SOURCES rfb/server_reader.cpp rfb/rectangle_reader.cpp rfb/tight_reader.cpp
    rfb/hextile_reader.cpp)
