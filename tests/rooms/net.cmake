baton_test(net_text_test KIND unit ROOMS net LIBRARIES rapidcheck)
baton_test(net_http_test KIND integration ROOMS net)
