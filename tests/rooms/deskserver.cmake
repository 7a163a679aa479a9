baton_test(deskserver_unit_test KIND unit ROOMS deskserver)
# storage daemons outlive who started them, on purpose: a PID namespace ends them with the test, however it ends
baton_test(deskserver_test KIND integration ROOMS deskserver TIMEOUT 240
    WRAPPER unshare --mount --pid --fork --kill-child --mount-proc)
