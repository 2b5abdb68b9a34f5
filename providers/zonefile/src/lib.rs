//! Zone files in a directory as a provider.
