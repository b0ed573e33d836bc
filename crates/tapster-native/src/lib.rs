//! tapster-native.
