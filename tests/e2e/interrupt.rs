//! Ctrl-C before anything is written: the document is printed, and nobody waits for what hangs.

use std::net::{SocketAddr, TcpListener};

use serde_json::json;

use crate::harness::Project;

/// A project whose provider takes connections and never answers.
fn hanging() -> (Project, TcpListener) {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let project = Project::empty();
    project.write(
        "mailzone.toml",
        format!(
            "[providers.ns]\ntype = \"rfc2136\"\nserver = \"{}\"\ntimeout = \"60s\"\n\
             [domains.\"example.test\"]\nprovider = \"ns\"\nspf = \"v=spf1 -all\"\n",
            listener.local_addr().unwrap()
        ),
    );
    (project, listener)
}

#[test]
fn an_interrupted_reading_says_so_at_once() {
    for args in [&["plan", "--format", "json"][..], &["apply", "--yes", "--format", "json"]] {
        let (project, listener) = hanging();
        let running = project.start(args.iter().copied());
        let (_held, _) = listener.accept().unwrap();
        running.signal("INT");
        let output = running.finish().expect_code(130);
        assert_eq!(output.json()["exit"], json!({"code": 130, "zones": [{"zone": "example.test", "code": 130}]}));
        assert_eq!(output.json()["zones"][0]["error"]["message"], "interrupted before it was looked at");
        assert!(output.stderr.contains("interrupted: nothing was written"), "{}", output.stderr);
        assert!(!project.exists(".mailzone"));
    }
}
