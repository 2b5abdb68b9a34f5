use std::io;
use std::path::Path;

use crate::Error;

/// Carries out one step that changes the disk. Everything that does goes through here, so that a
/// test can stop the program before any of them.
pub(crate) fn step<T>(doing: &'static str, path: &Path, action: impl FnOnce() -> io::Result<T>) -> Result<T, Error> {
    #[cfg(feature = "crash-points")]
    crash_points::reached();
    action().map_err(Error::at(doing, path))
}

/// `MAILZONE_CRASH_AT=n` aborts before the n-th step (from 1). `MAILZONE_HOLD_AT=n` with
/// `MAILZONE_HOLD_FILE=PATH` writes the line `held` to PATH before the n-th step and goes on when that
/// file is gone, at the latest after a minute.
#[cfg(feature = "crash-points")]
mod crash_points {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    static REACHED: AtomicU64 = AtomicU64::new(0);

    pub(super) fn reached() {
        let number = REACHED.fetch_add(1, Ordering::SeqCst) + 1;
        if chosen("MAILZONE_CRASH_AT") == Some(number) {
            std::process::abort();
        }
        if chosen("MAILZONE_HOLD_AT") == Some(number) {
            hold();
        }
    }

    fn chosen(variable: &str) -> Option<u64> {
        std::env::var(variable).ok()?.parse().ok()
    }

    fn hold() {
        let Some(file) = std::env::var_os("MAILZONE_HOLD_FILE") else { return };
        if std::fs::write(&file, "held\n").is_err() {
            return;
        }
        let begun = Instant::now();
        while std::fs::exists(&file).unwrap_or(false) && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
