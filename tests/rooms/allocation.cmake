baton_test(allocation_test KIND unit ROOMS allocation)
