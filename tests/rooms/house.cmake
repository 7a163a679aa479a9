# the house itself: the arrows between rooms
baton_script_test(house_arrows KIND unit COMMAND "${CMAKE_SOURCE_DIR}/tools/check-arrows")
# what `make install` lays down, as systemd and an administrator meet it
baton_script_test(install_test KIND integration COMMAND "${CMAKE_SOURCE_DIR}/tests/integration/install_test" "${CMAKE_BINARY_DIR}")
