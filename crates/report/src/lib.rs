//! Plans, findings and measurements as text, JSON and Markdown. No I/O, no environment, no terminal:
//! the caller says how wide a line is and whether there is colour.
//!
//! Everything that is printed goes through [`escape`], so that no byte of a zone, an API or a file
//! reaches a terminal, a log or a Markdown page as anything but text (`design.md` section 7).

pub mod check;
pub mod escape;
mod group;
pub mod json;
pub mod markdown;
mod redact;
pub mod simulate;
mod style;
pub mod text;
pub mod view;

#[cfg(test)]
mod testing;

pub use redact::Redactor;
pub use style::Label;
