baton_test(process_test KIND unit ROOMS process)
baton_test(large_pages_test KIND unit ROOMS process)
