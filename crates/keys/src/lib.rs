//! DKIM keys: generate them, read the private ones of every signer, keep their files; verify with the public ones.
//!
//! [`KeyPair::generate`] makes a key and [`Files::save`] writes it; [`read_private`] tells which public key belongs to
//! a private one. Private octets are zeroed when they go out of use, have no `Debug` output and appear in no error.
//! [`verify_message`] tests the signatures of a message.

mod files;
mod pair;
mod pem;
mod private;
mod verify;

pub use files::{Exposure, FileError, Files, KeyFile, read_file};
pub use mailzone_durable::Error as WriteError;
pub use pair::{GenerateError, KeyPair, NewKey};
pub use private::{Form, PrivateKey, PrivateKeyError, looks_private, read_private};
pub use verify::{Crypto, verify_message};
