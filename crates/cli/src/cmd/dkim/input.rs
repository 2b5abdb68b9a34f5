//! Files and standard input that hold keys.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;

use mailzone_engine::Code;
use mailzone_keys::{Exposure, FileError, KeyFile, read_file};
use secrecy::zeroize::Zeroizing;

use super::fail;
use crate::ui::Ui;

/// As of a key file.
const LIMIT: usize = 64 << 10;

/// What was named: its octets, zeroed when dropped, and who else can read the file.
pub(super) fn read(path: &Path, ui: &Ui) -> Result<(Zeroizing<Vec<u8>>, Option<Exposure>), Code> {
    if path.as_os_str() != "-" {
        let KeyFile { octets, exposure } = read_file(path).map_err(|error| file_error(&error, ui))?;
        return Ok((octets, exposure));
    }
    if io::stdin().is_terminal() {
        ui.say("paste the keys, then press Ctrl-D");
    }
    // Room for all of it at once: a buffer that grows would leave copies behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(LIMIT + 1));
    io::stdin()
        .take(LIMIT as u64 + 1)
        .read_to_end(&mut octets)
        .map_err(|error| fail(ui, &format!("standard input cannot be read: {error}"), ""))?;
    if octets.len() > LIMIT {
        return Err(fail(ui, "standard input has more than 64 KiB: no key has", "give the keys in several runs"));
    }
    Ok((octets, None))
}

/// The same as text.
pub(super) fn read_text(path: &Path, ui: &Ui) -> Result<Zeroizing<String>, Code> {
    let (octets, _) = read(path, ui)?;
    let text = std::str::from_utf8(&octets).map_err(|_| {
        let remedy = "give the record or the key as text: PEM, base64 or zone-file text";
        fail(ui, &format!("{} is no text", path.display()), remedy)
    })?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Says why a key file was not read or written.
pub(super) fn file_error(error: &FileError, ui: &Ui) -> Code {
    let remedy = match error {
        FileError::Exists(_) => "name another file with --out, or take a selector that was never used",
        FileError::NoFile { .. } | FileError::TooLarge(_) => "name the file of one key or record",
        FileError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => "check the path",
        FileError::Write(error) if error.kind() == io::ErrorKind::NotFound => "make the directory first",
        FileError::Read { .. } => "run it as the user to whom the file belongs",
        FileError::Write(_) => "name a directory that you can write to",
        _ => "",
    };
    fail(ui, &error.to_string(), remedy)
}
