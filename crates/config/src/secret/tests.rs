use std::cell::Cell;
use std::sync::Arc;

use insta::assert_snapshot;
use toml::de::DeTable;

use super::*;
use crate::keys::{SECRET, Shape};
use crate::raw::Report;
use crate::source::SourceFile;

fn nothing(_: &str) -> Option<OsString> {
    None
}

fn variable(value: &[u8]) -> Result<Secret, SecretError> {
    let value = value.to_vec();
    SecretRef::Env("TOKEN".to_owned()).resolve(&|_| Some(os_string(value.clone())))
}

#[cfg(unix)]
fn os_string(octets: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(octets)
}

#[cfg(not(unix))]
fn os_string(octets: Vec<u8>) -> OsString {
    String::from_utf8(octets).unwrap().into()
}

/// The error as it is shown, with the remedy.
fn shown(error: &SecretError) -> String {
    format!("{error}; {}", error.remedy())
}

/// What a table is read as, or the diagnostics.
fn parsed(value: &str) -> Result<Option<SecretRef>, String> {
    let text = format!("api_key = {value}\n");
    let file = SourceFile::new("conf/mailzone.toml", text);
    let root = DeTable::parse(file.text()).unwrap();
    let value = root.get_ref().get("api_key").unwrap();
    let node = Node::new(value, &file);
    let mut report = Report::default();
    crate::check::shape("api_key", &node, &Shape::Table(&SECRET), &mut report);
    let errors: Vec<_> = report.finish(&[Arc::clone(&file)]).iter().map(ToString::to_string).collect();
    if errors.is_empty() { Ok(reference(&node)) } else { Err(errors.join("\n")) }
}

#[test]
fn references() {
    assert_eq!(parsed("{ env = 'A_1' }"), Ok(Some(SecretRef::Env("A_1".into()))));
    assert_eq!(parsed("{ file = 'token' }"), Ok(Some(SecretRef::File("conf/token".into()))));
    assert_eq!(parsed("{ file = '/run/token' }"), Ok(Some(SecretRef::File("/run/token".into()))));
    let command = SecretRef::Command { program: "pass".into(), arguments: vec!["show".into(), "x".into()] };
    assert_eq!(parsed("{ command = ['pass', 'show', 'x'] }"), Ok(Some(command)));
}

/// Somebody may have written the secret itself: no line is shown.
#[test]
fn mistakes_are_shown_without_their_lines() {
    let mistakes =
        ["'hunter2'", "{ vlaue = 'hunter2' }", "{ env = 'hunter-2' }", "{ file = ['hunter2'] }", "{ command = [] }"];
    let shown: Vec<_> = mistakes.iter().map(|mistake| parsed(mistake).unwrap_err()).collect();
    let shown = shown.join("\n");
    assert!(!shown.contains("hunter"), "{shown}");
    assert_snapshot!(shown, @r#"
    error: `api_key` is a string, expected a table with env, file, command
     --> conf/mailzone.toml:1:11
      = help: write { env = "NAME" }, { file = "PATH" } or { command = ["PROGRAM", "ARGUMENT"] }
    error: unknown key `vlaue` in a reference to a secret
     --> conf/mailzone.toml:1:13
      = help: known keys: env, file, command
    error: `env`: not the name of an environment variable
     --> conf/mailzone.toml:1:19
      = help: letters, digits and `_`, without `$`
    error: `file` is a list, expected a path
     --> conf/mailzone.toml:1:20
      = help: write { env = "NAME" }, { file = "PATH" } or { command = ["PROGRAM", "ARGUMENT"] }
    error: `command` is an empty list
     --> conf/mailzone.toml:1:23
      = help: remove the key, or name something
    "#);
    let shown = [parsed("{}").unwrap_err(), parsed("{ env = 'A', file = 'a' }").unwrap_err()].join("\n");
    assert_snapshot!(shown, @r#"
    error: `api_key` does not say where the secret is
     --> conf/mailzone.toml:1:11
      = help: write { env = "NAME" }, { file = "PATH" } or { command = ["PROGRAM", "ARGUMENT"] }
    error: `api_key` says more than once where the secret is
     --> conf/mailzone.toml:1:11
      = help: write { env = "NAME" }, { file = "PATH" } or { command = ["PROGRAM", "ARGUMENT"] }
    "#);
}

#[test]
fn unset_and_empty() {
    let unset = SecretRef::Env("IONOS_API_KEY".to_owned()).resolve(&nothing).unwrap_err();
    assert_snapshot!(shown(&unset), @"the environment variable IONOS_API_KEY is not set; set it to the secret where mailzone is started");
    assert_snapshot!(shown(&variable(b"").unwrap_err()), @"the environment variable TOKEN is empty; set it to the secret where mailzone is started");
    assert_eq!(variable(b"\r\n").unwrap_err().fault, SecretFault::Empty);
}

#[test]
fn one_line_end_goes() {
    for (octets, text) in [("a b", "a b"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a\r", " a\r")] {
        assert_eq!(variable(octets.as_bytes()).unwrap().expose(), text);
    }
    let longest = "x".repeat(MAX_SECRET_SIZE);
    assert_eq!(variable(longest.as_bytes()).unwrap().expose(), longest);
    assert_eq!(variable(format!("{longest}x").as_bytes()).unwrap_err().fault, SecretFault::TooLong);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text() {
    let error = variable(b"hunter2\xff").unwrap_err();
    assert_snapshot!(shown(&error), @"the environment variable TOKEN is not UTF-8; set it to the secret where mailzone is started");
    assert!(!format!("{error:?}").contains("hunter"));
}

#[test]
fn files() {
    let dir = tempfile::tempdir().unwrap();
    let resolve = |name: &str| SecretRef::File(dir.path().join(name)).resolve(&nothing);
    let fault = |name: &str, octets: &[u8]| {
        fs::write(dir.path().join(name), octets).unwrap();
        resolve(name).unwrap_err().fault
    };
    fs::write(dir.path().join("crlf"), "hunter2\r\n").unwrap();
    assert_eq!(resolve("crlf").unwrap().expose(), "hunter2");
    assert_eq!(fault("empty", b"\n"), SecretFault::Empty);
    assert_eq!(fault("large", &[b'x'; MAX_SECRET_SIZE + 1]), SecretFault::TooLong);
    assert_eq!(fault("latin1", b"h\xfcnter"), SecretFault::NotUtf8);
    assert_eq!(resolve(".").unwrap_err().fault, SecretFault::NotRegular);
    let missing = SecretRef::File("no/such\u{1b}[1m/file".into()).resolve(&nothing).unwrap_err();
    assert_snapshot!(shown(&missing), @r"the file no/such\u{1b}[1m/file does not exist; name a file that holds the secret and nothing else");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = fifo(dir.path());
    assert_eq!(SecretRef::File(path).resolve(&nothing).unwrap_err().fault, SecretFault::NotRegular);
}

#[test]
fn nothing_shows_a_secret() {
    let secrets = Secrets::default();
    let secret = secrets.get(&SecretRef::Env("TOKEN".into()), &|_| Some("hunter2".into())).unwrap();
    assert_eq!(secret.expose(), "hunter2");
    assert_snapshot!(format!("{secret:?}"), @"Secret(SecretBox<str>([REDACTED]))");
    assert!(!format!("{secrets:?}").contains("hunter"));
}

#[test]
fn each_is_resolved_once() {
    let asked = Cell::new(0);
    let env = |name: &str| {
        asked.set(asked.get() + 1);
        (name == "A").then(|| "hunter2".into())
    };
    let secrets = Secrets::default();
    for _ in 0..3 {
        assert_eq!(secrets.get(&SecretRef::Env("A".into()), &env).unwrap().expose(), "hunter2");
        assert_eq!(secrets.get(&SecretRef::Env("B".into()), &env).unwrap_err().fault, SecretFault::Unset);
    }
    assert_eq!(asked.get(), 2);
}

#[cfg(unix)]
mod commands {
    use super::*;

    fn command(words: &[&str]) -> SecretRef {
        let (program, arguments) = words.split_first().unwrap();
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        SecretRef::Command { program: (*program).to_owned(), arguments }
    }

    fn run(words: &[&str]) -> Result<Secret, SecretError> {
        command(words).resolve(&nothing)
    }

    #[test]
    fn output_without_shell_and_input() {
        assert_eq!(run(&["printf", "%s\\n", "$HOME ; x"]).unwrap().expose(), "$HOME ; x");
        assert_eq!(run(&["sh", "-c", "cat; echo noise >&2; printf 'hunter2\\r\\n'"]).unwrap().expose(), "hunter2");
        assert_eq!(run(&["true"]).unwrap_err().fault, SecretFault::Empty);
        assert_eq!(run(&["printf", "\\377"]).unwrap_err().fault, SecretFault::NotUtf8);
    }

    #[test]
    fn failures_show_neither_arguments_nor_output() {
        let failed = run(&["sh", "-c", "echo hunter2; echo hunter2 >&2; exit 7"]).unwrap_err();
        assert_snapshot!(shown(&failed), @"the command sh failed (exit status: 7); run it by hand: mailzone gives it no input and does not show what it prints");
        let killed = run(&["sh", "-c", "echo hunter2; kill -TERM $$"]).unwrap_err();
        assert_snapshot!(killed, @"the command sh failed (signal: 15 (SIGTERM))");
        let missing = run(&["no-such-program-here", "hunter2"]).unwrap_err();
        assert_snapshot!(shown(&missing), @"the command no-such-program-here was not found; install it, or correct the name of the program");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        fs::write(&path, "hunter2").unwrap();
        assert_eq!(run(&[path.to_str().unwrap()]).unwrap_err().fault, SecretFault::Denied);
    }

    #[test]
    fn too_slow() {
        let error = command(&["sleep", "600"]).resolve_within(Duration::ZERO, &nothing).unwrap_err();
        assert_snapshot!(shown(&error), @"the command sleep did not end within 0 s and was killed; run it by hand: mailzone gives it no input and does not show what it prints");
    }

    /// Its output is at its end long before; that it goes on counts.
    #[test]
    fn too_slow_to_end() {
        let limit = Duration::from_millis(100);
        let error = command(&["sh", "-c", "exec sleep 600 >&-"]).resolve_within(limit, &nothing).unwrap_err();
        assert_eq!(error.fault, SecretFault::TimedOut(limit));
    }

    /// The pipe ends when nobody holds it any more; a child that was left alive would write into it first.
    #[test]
    fn too_much_output_kills_children_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(dir.path());
        let witness = {
            let path = path.clone();
            std::thread::spawn(move || fs::read_to_string(path).unwrap())
        };
        let script = "exec 3>\"$0\"; (sleep 20; echo survived >&3) & exec yes hunter2";
        let error = run(&["sh", "-c", script, path.to_str().unwrap()]).unwrap_err();
        assert_snapshot!(shown(&error), @"the command sh printed more than 64 KiB and was killed; run it by hand: mailzone gives it no input and does not show what it prints");
        assert_eq!(witness.join().unwrap(), "");
    }
}

#[cfg(unix)]
fn fifo(directory: &Path) -> PathBuf {
    let path = directory.join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

#[test]
fn what_is_left_out_is_looked_for_in_the_environment() {
    let customary = Customary { key: "api_token", variables: &["FIRST", "SECOND"] };
    let credential = Given::Customary(customary);
    let found = |set: &[(&str, &str)]| {
        let env = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        let found = Secrets::default().find(&credential, &env).unwrap();
        found.map(|(secret, from)| (secret.expose().to_owned(), from.to_string()))
    };
    let from = |value: &str, name: &str| Some((value.to_owned(), format!("the environment variable {name}")));
    assert_eq!(found(&[("FIRST", "a"), ("SECOND", "b")]), from("a", "FIRST"));
    assert_eq!(found(&[("FIRST", ""), ("SECOND", "b")]), from("b", "SECOND"));
    assert_eq!(found(&[("THIRD", "c")]), None);
    // What is named is not looked for elsewhere.
    let file = SourceFile::new("mailzone.toml", "x");
    let named = crate::Located { value: SecretRef::Env("NAMED".into()), place: file.place(0..1), from_profile: false };
    let error = Secrets::default().find(&Given::Named(named), &|name| (name == "FIRST").then(|| "a".into()));
    assert_eq!(error.unwrap_err().to_string(), "the environment variable NAMED is not set");
}
