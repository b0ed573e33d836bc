"""What a server measures, as programs read it: metrics, uWSGI's statistics, statsd."""
