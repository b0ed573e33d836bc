//! HTTP head to variables.
