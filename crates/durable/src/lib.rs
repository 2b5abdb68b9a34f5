//! Files that survive a crash: atomic replacement, synced appends, locks.
//!
//! Whatever mailzone must not lose or tear goes through here: zone files, the journal, saved plans.
//! Every operation is a row of steps, and after each of them, a power cut included, the
//! file is either as before or as after. An appended file may end in a torn line, which
//! [`read_lines`] leaves out and the next [`append_synced`] removes.
//!
//! With the feature `crash-points` (tests only) the process can be made to die or to wait at the n-th
//! step; without it none of that code exists.

mod append;
mod error;
mod lock;
mod replace;
mod step;

pub use append::{append_synced, read_lines};
pub use error::Error;
pub use lock::Lock;
pub use replace::{Replaced, create, create_private_dir, replace, sweep, write_private};
