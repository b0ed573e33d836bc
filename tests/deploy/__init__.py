"""The configurations of deploy/, run by the real thing: proxies before Tapster on hosts that are network namespaces."""
