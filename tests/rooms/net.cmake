baton_test(net_test KIND unit ROOMS net LIBRARIES rapidcheck)
baton_test(net_http_test KIND integration ROOMS net)
baton_test(net_tls_test KIND integration ROOMS net LIBRARIES spdlog::spdlog)
baton_test(net_pki_qemu_test KIND integration ROOMS net)
