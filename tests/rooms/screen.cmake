baton_test(screen_test KIND unit ROOMS screen)
