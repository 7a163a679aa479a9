baton_test(process_test KIND unit ROOMS process)
