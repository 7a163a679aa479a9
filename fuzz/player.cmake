baton_fuzz(player ROOM player)
baton_fuzz(player_control ROOM player)
# the policy that is compiled in is made while building
target_sources(baton_fuzzed_player PRIVATE "${CMAKE_BINARY_DIR}/player/default_policy.cpp")
