//! Kills a process of its own at every step and looks at what is on the disk.
#![cfg(feature = "crash-points")]
#![expect(clippy::unwrap_used, reason = "a test throughout")]

use std::path::Path;
use std::process::{Command, ExitStatus};

use mailzone_durable::{append_synced, create, create_private_dir, read_lines, replace, sweep};

const DIRECTORY: &str = "MAILZONE_TEST_DIRECTORY";

/// What the child does; without the variable it is not a child and there is nothing to do.
#[test]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let directory = Path::new(&directory);
    create_private_dir(&directory.join("state")).unwrap();
    append_synced(&directory.join("state/journal"), r#"{"intent":1}"#).unwrap();
    replace(&directory.join("a.zone"), b"the new contents").unwrap();
    append_synced(&directory.join("state/journal"), r#"{"outcome":1}"#).unwrap();
    let key = directory.join("state/s1.key");
    if !key.exists() {
        create(&key, b"a new key", true).unwrap();
    }
}

fn run(directory: &Path, variables: &[(&str, &str)]) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
        .status
}

#[test]
fn at_every_step_the_file_is_the_old_or_the_new_one() {
    let old = "the old contents, longer than the new ones";
    let mut seen_new = false;
    for n in 1..100 {
        let dir = tempfile::tempdir().unwrap();
        let zone = dir.path().join("a.zone");
        let journal = dir.path().join("state/journal");
        std::fs::write(&zone, old).unwrap();
        let completed = run(dir.path(), &[("MAILZONE_CRASH_AT", &n.to_string())]).success();

        let contents = std::fs::read_to_string(&zone).unwrap();
        let lines = read_lines(&journal).unwrap();
        assert!(contents == old || contents == "the new contents", "step {n}: {contents}");
        let intent_first = contents == old || lines.first().is_some_and(|line| line == r#"{"intent":1}"#);
        assert!(intent_first, "step {n}: written before the intent: {lines:?}");
        let outcome_last = lines.len() < 2 || contents == "the new contents";
        assert!(outcome_last, "step {n}: outcome before the write: {lines:?}");
        let key = std::fs::read_to_string(dir.path().join("state/s1.key"));
        assert!(key.is_err() || key.is_ok_and(|key| key == "a new key"), "step {n}: a torn key");
        seen_new |= contents != old && !completed;

        if completed {
            assert!(seen_new, "no crash between the write and the end");
            assert!(n > 12, "only {n} steps");
            return;
        }
        sweep(&zone).unwrap();
        assert!(run(dir.path(), &[]).success(), "step {n}: no second run");
        assert_eq!(std::fs::read_to_string(&zone).unwrap(), "the new contents");
        assert_eq!(read_lines(&journal).unwrap().last().unwrap(), r#"{"outcome":1}"#);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "step {n}: leftovers");
    }
    panic!("no run completed");
}

#[test]
fn holds_until_the_file_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let held = dir.path().join("held");
    std::fs::write(dir.path().join("a.zone"), "old").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--test-threads=1"])
        .env(DIRECTORY, dir.path())
        .env("MAILZONE_HOLD_AT", "1")
        .env("MAILZONE_HOLD_FILE", &held)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !std::fs::read_to_string(&held).is_ok_and(|line| line == "held\n") {
        assert!(child.try_wait().unwrap().is_none(), "it did not wait");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(std::fs::read_to_string(dir.path().join("a.zone")).unwrap(), "old");
    std::fs::remove_file(&held).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(std::fs::read_to_string(dir.path().join("a.zone")).unwrap(), "the new contents");
}
