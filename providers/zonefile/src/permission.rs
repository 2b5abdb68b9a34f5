//! Whether this user may replace a file, told from mode bits: a listing writes nothing to find out.

use std::path::Path;

use crate::directory::Obstacle;

/// What surely forbids to replace `file`: the mode of its directory. Access control lists are not read, so
/// a directory that only a list opens, and one that a group may write, counts as writable.
#[cfg(target_os = "linux")]
pub(crate) fn forbidden(file: &Path) -> Option<Obstacle> {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    let directory = file.parent()?;
    let (of_directory, of_file) = (fs::metadata(directory).ok()?, fs::metadata(file).ok()?);
    let user = User::of_status(&fs::read_to_string("/proc/self/status").ok()?)?;
    if !user.may_write(of_directory.mode(), of_directory.uid()) {
        return Some(Obstacle::new(
            format!("the directory {} is not writable for this user (user id {})", directory.display(), user.id),
            "run mailzone as a user that may write there, or give this user the right",
        ));
    }
    user.is_stopped_by_sticky(of_directory.mode(), of_directory.uid(), of_file.uid()).then(|| {
        Obstacle::new(
            format!("only the owner may replace the file: the directory {} is sticky", directory.display()),
            "run mailzone as the file's owner, or clear the directory's sticky bit",
        )
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn forbidden(_: &Path) -> Option<Obstacle> {
    None
}

/// Who runs this process, as far as file modes concern it.
#[cfg(target_os = "linux")]
#[derive(Debug, PartialEq, Eq)]
struct User {
    /// The user id that files are opened with.
    id: u32,
    /// The capabilities in effect, CAP_DAC_OVERRIDE and CAP_FOWNER among them.
    capabilities: u64,
}

#[cfg(target_os = "linux")]
impl User {
    /// From the text of `/proc/self/status` (proc_pid_status(5)).
    fn of_status(status: &str) -> Option<Self> {
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        // Real, effective, saved, file system.
        let id = field("Uid")?.split_whitespace().nth(3)?.parse().ok()?;
        let capabilities = u64::from_str_radix(field("CapEff")?.trim(), 16).ok()?;
        Some(Self { id, capabilities })
    }

    fn has(&self, capability: u32) -> bool {
        self.capabilities >> capability & 1 == 1
    }

    fn may_write(&self, mode: u32, owner: u32) -> bool {
        const DAC_OVERRIDE: u32 = 1;
        // With an access control list, the group's bits are its upper bound.
        let bits = if self.id == owner { 0o200 } else { 0o022 };
        mode & bits != 0 || self.has(DAC_OVERRIDE)
    }

    fn is_stopped_by_sticky(&self, mode: u32, directory_owner: u32, file_owner: u32) -> bool {
        const FOWNER: u32 = 3;
        mode & 0o1000 != 0 && ![directory_owner, file_owner].contains(&self.id) && !self.has(FOWNER)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tmailzone\nUid:\t1000\t1001\t1000\t1001\nGid:\t7\t7\t7\t7\nCapEff:\t0000000000000000\n";

    #[test]
    fn who_it_is() {
        assert_eq!(User::of_status(STATUS), Some(User { id: 1001, capabilities: 0 }));
        assert_eq!(User::of_status("Uid:\t0\n"), None);
        let own = std::fs::read_to_string("/proc/self/status").unwrap();
        assert!(User::of_status(&own).is_some());
    }

    #[test]
    fn what_it_may() {
        let user = User { id: 1001, capabilities: 0 };
        let root = User { id: 0, capabilities: 0x1ff };
        for (mode, owner, may) in [
            (0o755, 1001, true),
            (0o555, 1001, false),
            (0o577, 1001, false),
            (0o755, 0, false),
            (0o775, 0, true),
            (0o757, 0, true),
        ] {
            assert_eq!(user.may_write(mode, owner), may, "{mode:o} of {owner}");
            assert!(root.may_write(mode, owner));
        }
        assert!(user.is_stopped_by_sticky(0o1777, 0, 0));
        assert!(!user.is_stopped_by_sticky(0o1777, 0, 1001) && !user.is_stopped_by_sticky(0o1777, 1001, 0));
        assert!(!user.is_stopped_by_sticky(0o777, 0, 0) && !root.is_stopped_by_sticky(0o1777, 5, 6));
    }

    #[test]
    fn a_directory_of_our_own() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("example.com.zone");
        std::fs::write(&file, "").unwrap();
        assert_eq!(forbidden(&file), None);
    }
}
