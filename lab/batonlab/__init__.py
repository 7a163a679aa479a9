"""The one-machine lab: a whole site (boot server, hosts, clients) in network namespaces."""
