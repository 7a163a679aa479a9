baton_test(chart_test KIND unit ROOMS chart)
