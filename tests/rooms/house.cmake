# the house itself: the arrows between rooms
baton_script_test(house_arrows KIND unit COMMAND "${CMAKE_SOURCE_DIR}/tools/check-arrows")
