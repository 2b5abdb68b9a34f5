//! IONOS as a provider: the hosting DNS API and IONOS Cloud DNS.

mod failure;
mod hosting;
mod text;
mod value;

pub use hosting::IonosProvider;
