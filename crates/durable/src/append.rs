use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::Error;
use crate::replace::sync_parent;
use crate::step::step;

/// Appends `line` and a line end, and returns when both are on the disk.
///
/// The file is made for the user alone (mode 0600). A last line that a crash tore is removed first.
/// Several processes may append: each waits for the other's line. A line that contains a line end is refused.
pub fn append_synced(path: &Path, line: &str) -> Result<(), Error> {
    let refused = |message| Error::at("appending to", path)(io::Error::new(io::ErrorKind::InvalidInput, message));
    if line.contains('\n') {
        return Err(refused("more than one line"));
    }
    let mut file = step("opening", path, || open(path))?;
    file.lock().map_err(Error::at("locking", path))?;
    let (torn, length) = torn_from(&mut file).map_err(Error::at("reading", path))?;
    if let Some(end) = torn {
        step("removing a torn line from", path, || file.set_len(end))?;
    }
    let mut bytes = Vec::with_capacity(line.len() + 1);
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    // Two writes, so that a test can see a torn line.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    step("appending to", path, || file.write_all(first))?;
    step("appending to", path, || file.write_all(second))?;
    step("syncing", path, || file.sync_data())?;
    // Also where a crash came between making the file and its first line.
    if torn.unwrap_or(length) == 0 {
        sync_parent(path)?;
    }
    Ok(())
}

/// The complete lines of a file that [`append_synced`] wrote, without their line ends. A torn last line
/// is left out; a file that does not exist has none.
pub fn read_lines(path: &Path) -> Result<Vec<String>, Error> {
    let mut bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::at("reading", path)(error)),
    };
    bytes.truncate(bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1));
    let text = String::from_utf8(bytes)
        .map_err(|error| Error::at("reading", path)(io::Error::new(io::ErrorKind::InvalidData, error)))?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Where the torn last line begins, if there is one, and how long the file is.
fn torn_from(file: &mut File) -> io::Result<(Option<u64>, u64)> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut block = [0; 4096];
    let mut end = length;
    while end > 0 {
        let begin = end.saturating_sub(block.len() as u64);
        // At most the length of the block.
        let part = &mut block[..(end - begin) as usize];
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(part)?;
        if let Some(at) = part.iter().rposition(|&byte| byte == b'\n') {
            let after = begin + at as u64 + 1;
            return Ok(((after < length).then_some(after), length));
        }
        end = begin;
    }
    Ok(((length > 0).then_some(0), length))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn appends_and_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        assert!(read_lines(&path).unwrap().is_empty());
        append_synced(&path, "one").unwrap();
        append_synced(&path, "").unwrap();
        append_synced(&path, "zwölf").unwrap();
        assert_eq!(read_lines(&path).unwrap(), ["one", "", "zwölf"]);
        assert!(append_synced(&path, "a\nb").is_err());
    }

    #[test]
    fn a_torn_end_is_left_out_and_then_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let long = "x".repeat(10_000);
        for (before, lines) in [
            ("one\ntw", vec!["one"]),
            ("tw", vec![]),
            (&format!("one\n{long}"), vec!["one"]),
            (&format!("{long}\ntorn"), vec![&*long]),
            ("one\n\u{fc}", vec!["one"]),
        ] {
            fs::write(&path, before).unwrap();
            assert_eq!(read_lines(&path).unwrap(), lines);
            append_synced(&path, "next").unwrap();
            let mut lines = lines.clone();
            lines.push("next");
            assert_eq!(read_lines(&path).unwrap(), lines);
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_reads_it() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        append_synced(&path, "one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    }
}
