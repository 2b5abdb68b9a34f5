//! TOML with line-and-column errors into settings; JSON Schema; secrets by reference.
