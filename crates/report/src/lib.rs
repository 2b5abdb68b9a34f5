//! Plans, findings and measurements as text, JSON and Markdown. No I/O.
