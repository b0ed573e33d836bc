"""Measures Tapster beside its peers, and makes docs/performance.md from the figures. `make bench` runs it.

Where to look:
    scenarios.py      what is measured: an application, a number of threads, and one of `measurements/`
    contenders.py     the servers, and how each is started
    front.py          Tapster's front and nginx (nginx_front.conf), before files and backends
    measurements/     how a figure is taken: under load, at a fixed rate, memory, start, system calls, idleness
    rounds.py         the order of the measurements, and the file of raw results
    targets.py        what Tapster has to show
    page.py           docs/performance.md and its chart, from the raw results
"""
