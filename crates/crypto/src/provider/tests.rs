//! One suite over both providers.
