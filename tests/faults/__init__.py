"""The fault list: what can go wrong around requests, played to a real server and judged by numbers.

`python -m tests.faults --help` plays it to Tapster or to another server, test_faults.py is the same for pytest. One file
for each group of faults, `play.py` for how a fault is written down, `kinds.py` and `servers.py` for who is played to,
`prober.py` for the requests beside a fault, `report.py` for the table in docs/reliability.md.
"""
