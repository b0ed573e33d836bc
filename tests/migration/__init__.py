"""Configurations of other servers, run as they are."""
