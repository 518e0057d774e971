//! End-to-end tests through the local cloud, in `it/`.
